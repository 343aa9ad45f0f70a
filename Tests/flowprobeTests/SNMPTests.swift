// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

@Suite("The statistics for snmpd")
struct SNMPTests {
  private let tree = ObjectTree(
    people: ProcStatistics.text(StatisticsSample.statistics, StatisticsSample.rates),
    programs: SNMPStatistics.text(StatisticsSample.statistics, StatisticsSample.rates),
    started: Timestamp(milliseconds: 1_700_000_000_542))

  /// All answers to these lines.
  private func answers(_ lines: String...) -> String {
    var rest = lines[...]
    let requests = PassPersist { tree }
    var text = ""
    while let answer = requests.answer({ rest.popFirst() }) { text += answer }
    return text
  }

  private func value(_ path: UInt32...) -> ObjectTree.Value? {
    tree[ObjectName(ObjectTree.root.numbers + path)]
  }

  @Test("object identifiers are read with and without their first dot, and sorted by their numbers")
  func identifiers() throws {
    #expect(ObjectName(".1.3.6")?.numbers == [1, 3, 6])
    #expect(ObjectName("1.3.6")?.description == ".1.3.6")
    #expect(ObjectName("1.x") == nil && ObjectName("1..2") == nil && ObjectName("") == nil)
    let sorted = ["1.2", "1.10", "1.2.1", "1"].compactMap { ObjectName($0) }.sorted()
    #expect(sorted.map(\.description) == [".1", ".1.2", ".1.2.1", ".1.10"])
  }

  @Test("the program and its settings have their objects")
  func program() {
    #expect(value(1, 1, 1, 0) == .string("flowprobe"))
    #expect(value(1, 1, 2, 0) == .string("0.1.0"))
    #expect(value(1, 1, 3, 0) == .string("0123456789ABCDEF"))
    // 2023-11-14 22:13:20.5 UTC.
    #expect(value(1, 1, 4, 0) == .octets([0x07, 0xe7, 11, 14, 22, 13, 20, 5, 0x2b, 0, 0]))
    #expect(value(1, 1, 5, 0) == .integer(2))
    let settings = (1...13).map { value(1, 2, UInt32($0), 0) }
    #expect(
      settings == [
        .integer(10), .integer(655_360), .integer(2_000_000), .integer(1800), .integer(15), .integer(212_992),
        .string("127.0.0.1:2055,[2001:db8::1]:2055@[2001:db8::2]%eth0"), .string(""), .string(""), .integer(1),
        .integer(0), .string(""), .integer(1),
      ])
  }

  @Test("sampler, aggregation and rules for interface indexes are told as the options have them")
  func rules() throws {
    var statistics = StatisticsSample.statistics
    statistics.program.sampling = try Sampling.flows("r:10")
    statistics.program.aggregation = try AggregationRules.parse("10.0.0.0/8=24, 1024-65535=0, 80=81")
    statistics.program.interfaceIndexRules = try InterfaceIndexRules.parse("eth:100 ppp:2000")
    let tree = ObjectTree(
      people: ProcStatistics.text(statistics, StatisticsSample.rates), programs: "", started: nil)
    func setting(_ number: UInt32) -> ObjectTree.Value? { tree[ObjectTree.root.appending(1, 2, number, 0)] }
    #expect(setting(8) == .string("10.0.0.0/8=24,1024-65535=0,80-80=81"))
    #expect(setting(9) == .string("random:10"))
    #expect(setting(12) == .string("eth:100,ppp:2000"))
  }

  @Test("totals have their types, the metric hundredths")
  func totals() {
    #expect(value(2, 1, 1, 0) == .counter64(202_448))
    #expect(value(2, 1, 2, 0) == .gauge(83))
    #expect(value(2, 1, 6, 0) == .gauge(100))
    #expect(value(2, 1, 10, 0) == .counter64(419_840))
    #expect(value(2, 1, 20, 0) == .counter(0))
    #expect(value(2, 1, 21, 0) == .counter(2305))
    #expect(value(2, 1, 22, 0) == nil)
  }

  @Test("threads and destinations have rows")
  func tables() {
    #expect(value(2, 2, 1, 1, 1) == .integer(1))
    #expect(value(2, 2, 1, 2, 1) == .gauge(43))
    #expect(value(2, 2, 1, 5, 0) == .counter64(73_400_320))
    #expect(value(2, 2, 1, 6, 0) == .gauge(100))
    #expect(value(2, 2, 1, 10, 1) == .counter(2))
    #expect(value(2, 3, 1, 1, 0) == nil)
    #expect(value(2, 3, 1, 2, 0) == .string("127.0.0.1:2055"))
    #expect(value(2, 3, 1, 3, 1) == .integer(0))
    #expect(value(2, 3, 1, 4, 1) == .counter(14))
    #expect(value(2, 3, 1, 10, 0) == .gauge(2305))
  }

  @Test("32 bits are enough for no wrong value: gauges stay at their end, counters begin again")
  func limits() {
    let tree = ObjectTree(
      people: "", programs: "inPacketRate 5000000000\nerrTotal     4294967298\nhashMetric   12.34\n", started: nil)
    let values = tree.objects.filter { $0.name.numbers.starts(with: ObjectTree.root.numbers + [2]) }.map(\.value)
    #expect(values == [.gauge(.max), .gauge(1234), .counter(2)])
  }

  @Test("lines of the statistics that are cut off are passed over")
  func cutOff() {
    for programs in ["sock0", "cpu0", "sock", "inFlows", "sock0 \ncpu1 "] {
      let tree = ObjectTree(people: "ipt_NETFLOW 2.6, srcversion\nMaxflows", programs: programs, started: nil)
      #expect(!tree.objects.isEmpty)
    }
  }

  @Test("requests are answered as snmpd wants it, one after the other, until it says that it is done")
  func protocolOfRequests() {
    let name = "\(ObjectTree.root).2.1.4.0"
    #expect(
      answers("PING", "get", name, "get", ".1.3.6.1.2.1.1.1.0", "getnext", "\(ObjectTree.root)", "")
        == "PONG\n\(name)\ncounter64\n191073\nNONE\n\(ObjectTree.root).1.1.1.0\nstring\nflowprobe\n")
    #expect(answers("getnext", "\(ObjectTree.root).2.3.1.10.1") == "NONE\n")
    #expect(answers("set", "\(ObjectTree.root).1.2.3.0", "integer 5", "PING") == "not-writable\nPONG\n")
    #expect(
      answers("get", "\(ObjectTree.root).1.1.4.0")
        == "\(ObjectTree.root).1.1.4.0\noctet\n07 e7 0b 0e 16 0d 14 05 2b 00 00\n")
    #expect(answers("get") == "NONE\n")
  }

  @Test("a walk meets every object once, in order")
  func walk() {
    var (name, met) = (ObjectTree.root, [ObjectName]())
    while let next = tree.first(behind: name) {
      met.append(next.name)
      name = next.name
    }
    // 5 of the program, 13 settings, 21 totals, 2 rows of 12 columns and 2 of 9.
    #expect(met.count == 5 + 13 + 21 + 24 + 18)
    #expect(met == met.sorted() && Set(met).count == met.count)
  }
}
