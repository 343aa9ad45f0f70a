// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Options records")
struct OptionsTests {
  private static let record: ExporterOptions = {
    var record = ExporterOptions()
    record.domain = 0x0102_0304
    record.started = Timestamp(milliseconds: 1_700_000_000_123)
    record.program = "flowprobe 0.1.0"
    (record.sentMessages, record.sentRecords, record.sentOctets, record.observedFlows) = (1, 2, 3, 4)
    record.ignoredPackets = 5
    record.ignoring = LossPeriod(
      first: Timestamp(milliseconds: 1_700_000_000_123), last: Timestamp(milliseconds: 1_700_000_002_456))
    record.notSent = FlowTotals(flows: 6, packets: 7, octets: 8)
    record.losing = LossPeriod(
      first: Timestamp(milliseconds: 1_700_000_002_456), last: Timestamp(milliseconds: 1_700_000_002_456))
    (record.interfaceIndex, record.interfaceName, record.interfaceDescription) = (2, "eth0", "uplink")
    return record
  }()

  private func message(_ version: ExportProtocol, _ kind: OptionsKind) -> [UInt8] {
    let run = EncoderRun(version, domain: 0x0102_0304)
    run.append(kind, [Self.record])
    return run.messages.first ?? []
  }

  @Test("the sampling rate is announced with 34 and 35, and with 48, 49 and a 50 of four octets")
  func sampling() {
    let header = "6553f103 00000000 01020304"
    #expect(
      message(.ipfix, .sampling)
        == octets("000a 001d" + header + "0100 000d 01020304 00000001 01"))
    #expect(
      message(.ipfix, .sampler)
        == octets("000a 001e" + header + "0101 000e 01020304 00 01 00000001"))
  }

  @Test("v9 pads options records to four octets")
  func samplingInNetFlow9() {
    let header = "0009 0001 000f51e0 6553f104 00000000 01020304"
    #expect(message(.netFlow9, .sampling) == octets(header + "0100 0010 01020304 00000001 01 000000"))
    #expect(message(.netFlow9, .sampler) == octets(header + "0101 0010 01020304 00 01 00000001 0000"))
  }

  @Test("system, statistics, reliability and interfaces have the octets of their elements")
  func others() {
    func record(_ kind: OptionsKind) -> [UInt8] { Array(message(.ipfix, kind).dropFirst(20)) }
    let name = "666c6f7770726f626520302e312e30" + String(repeating: "00", count: 17)
    #expect(record(.system) == octets("01020304 0000018bcfe5687b" + name))
    #expect(
      record(.meteringStatistics)
        == octets("01020304 0000000000000001 0000000000000002 0000000000000003 0000000000000004"))
    #expect(
      record(.meteringReliability)
        == octets("01020304 0000000000000005 0000018bcfe5687b 0000018bcfe57198"))
    #expect(
      record(.exportingReliability)
        == octets(
          "01020304 0000000000000006 0000000000000007 0000000000000008 0000018bcfe57198 0000018bcfe57198"))
    #expect(
      record(.interface)
        == octets(
          "01020304 00000002 65746830000000000000000000000000 75706c696e6b"
            + String(repeating: "00", count: 58)))
  }

  @Test("an IPFIX options template has its field count, scope field count and the scope first")
  func ipfixTemplates() {
    let run = EncoderRun(.ipfix)
    run.sendTemplates()
    let sets = WireMessage(run.messages[0]).sets
    #expect(sets.map(\.id) == Array(repeating: 3, count: 7))
    #expect(sets[0].body == octets("0100 0003 0001 0095 0004 0022 0004 0023 0001"))
    #expect(sets[1].body == octets("0101 0004 0001 0095 0004 0030 0001 0031 0001 0032 0004"))
    // Of what the exporting process lost: its scope is exportingProcessId.
    #expect(
      sets[5].body == octets("0105 0006 0001 0090 0004 00a6 0008 00a7 0008 00a8 0008 0098 0008 0099 0008"))
  }

  @Test("a v9 options template has the lengths of scope and options in octets, and the scope System")
  func netFlow9Templates() {
    let run = EncoderRun(.netFlow9)
    run.sendTemplates()
    let sets = WireMessage(run.messages[0]).sets
    #expect(sets.map(\.id) == Array(repeating: 1, count: 7))
    #expect(sets[0].body == octets("0100 0004 0008 0001 0004 0022 0004 0023 0001"))
    #expect(sets[6].body == octets("0106 0004 000c 0001 0004 000a 0004 0052 0010 0053 0040"))
  }

  @Test("many options records, a set each, share messages that keep within the limit")
  func many() {
    let run = EncoderRun(.ipfix, limit: 512)
    run.sendTemplates()
    run.append(.interface, Array(repeating: Self.record, count: 64))
    let collector = run.collector
    #expect(collector.problems == [])
    #expect(collector.options == 64)
    #expect(collector.longest <= 512)
    // 92 octets a set: 5 fit.
    #expect(run.messages.dropFirst().map { $0.count } == Array(repeating: 476, count: 12) + [384])
    #expect(WireMessage(run.messages[1]).sets.map { [$0.id, $0.body.count] } == Array(repeating: [262, 88], count: 5))
  }
}

@Suite("When options records are due")
struct OptionsScheduleTests {
  private func moment(_ seconds: Int64) -> Timestamp { Sample.instant.now.advanced(byMilliseconds: seconds * 1000) }

  @Test("at the start all is told, statistics each minute, the description each five minutes")
  func rhythm() {
    var schedule = OptionsSchedule()
    var told: [Int64: [OptionsKind]] = [:]
    for second in Int64(0)...600 where schedule.isDue(at: moment(second)) {
      told[second] = schedule.takeDue(at: moment(second), ExporterOptions())
    }
    let everything = [OptionsKind.sampling, .sampler, .system, .interface, .meteringStatistics]
    #expect(told.keys.sorted() == [0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600])
    for (second, kinds) in told { #expect(kinds == (second % 300 == 0 ? everything : [.meteringStatistics])) }
  }

  @Test("when interfaces have changed they alone are due, once, and only those that are new or others")
  func interfaces() {
    var schedule = OptionsSchedule()
    let (lo, eth0) = (ObservedInterface(index: 1, name: "lo"), ObservedInterface(index: 2, name: "eth0"))
    let wan0 = ObservedInterface(index: 2, name: "wan0", alias: "uplink", speed: 1000)
    _ = schedule.takeDue(at: moment(0), ExporterOptions())
    #expect(schedule.takeUntold(of: [lo, eth0]) == [lo, eth0])
    #expect(!schedule.isDue(at: moment(1)))

    schedule.interfacesChanged()
    schedule.interfacesChanged()
    #expect(schedule.isDue(at: moment(1)))
    #expect(schedule.takeDue(at: moment(1), ExporterOptions()) == [.interface])
    #expect(schedule.takeUntold(of: [lo, wan0]) == [wan0])
    #expect(!schedule.isDue(at: moment(2)))

    // One that has gone is not told of; should it come again it is.
    schedule.interfacesChanged()
    #expect(schedule.takeDue(at: moment(3), ExporterOptions()) == [.interface])
    #expect(schedule.takeUntold(of: [lo]) == [])
    schedule.interfacesChanged()
    _ = schedule.takeDue(at: moment(4), ExporterOptions())
    #expect(schedule.takeUntold(of: [lo, wan0]) == [wan0])

    // With the description all of them are told of, also where they have just changed.
    schedule.interfacesChanged()
    let kinds = schedule.takeDue(at: moment(300), ExporterOptions())
    #expect(kinds == [.sampling, .sampler, .system, .interface, .meteringStatistics])
    #expect(schedule.takeUntold(of: [lo, wan0]) == [lo, wan0])
    #expect(!schedule.isDue(at: moment(301)))
  }

  @Test("reliability is told only after losses, and from then on with every statistics")
  func reliability() {
    var schedule = OptionsSchedule()
    var record = ExporterOptions()
    #expect(!schedule.takeDue(at: moment(0), record).contains(.meteringReliability))
    record.ignoredPackets = 1
    #expect(schedule.takeDue(at: moment(60), record) == [.meteringStatistics, .meteringReliability])
    record.notSent.flows = 1
    #expect(
      schedule.takeDue(at: moment(120), record) == [.meteringStatistics, .meteringReliability, .exportingReliability])
    #expect(
      schedule.takeDue(at: moment(180), record) == [.meteringStatistics, .meteringReliability, .exportingReliability])
  }

  @Test("the period of losses reaches from when the first was noticed to when the last was")
  func periods() {
    var schedule = OptionsSchedule()
    func periods(_ second: Int64, ignored: UInt64, notSent: UInt64) -> [Int64] {
      var record = ExporterOptions()
      record.now = Timestamp(milliseconds: second * 1000)
      (record.ignoredPackets, record.notSent.flows) = (ignored, notSent)
      schedule.noteLosses(&record)
      return [record.ignoring.first, record.ignoring.last, record.losing.first, record.losing.last].map(\.milliseconds)
    }
    #expect(periods(60, ignored: 0, notSent: 0) == [0, 0, 0, 0])
    #expect(periods(120, ignored: 3, notSent: 0) == [120_000, 120_000, 0, 0])
    #expect(periods(180, ignored: 3, notSent: 2) == [120_000, 120_000, 180_000, 180_000])
    #expect(periods(240, ignored: 4, notSent: 2) == [120_000, 240_000, 180_000, 180_000])
    #expect(periods(300, ignored: 4, notSent: 3) == [120_000, 240_000, 180_000, 300_000])
  }
}

@Suite("An interface's description")
struct ObservedInterfaceTests {
  private func description(_ alias: String, _ speed: UInt32?) -> String {
    ObservedInterface(index: 2, name: "eth0", alias: alias, speed: speed).description
  }

  @Test("it is the alias, else the name, and the speed where it is known")
  func parts() {
    #expect(description("uplink to provider", 1000) == "uplink to provider, 1000 Mbit/s")
    #expect(description("uplink to provider", nil) == "uplink to provider")
    #expect(description("", 100_000) == "eth0, 100000 Mbit/s")
    #expect(description("", nil) == "eth0")
  }

  @Test("where it is too long the alias is cut, between two characters, and not the speed")
  func cut() {
    let x = { String(repeating: "x", count: $0) }
    #expect(description(x(51), 1000) == x(51) + ", 1000 Mbit/s")
    #expect(description(x(52), 1000) == x(51) + ", 1000 Mbit/s")
    #expect(description(x(255), .max) == x(45) + ", 4294967295 Mbit/s")
    #expect(description(x(50) + "ü", 1000) == x(50) + ", 1000 Mbit/s")
    #expect(description(x(49) + "ü", 1000) == x(49) + "ü, 1000 Mbit/s")
  }
}
