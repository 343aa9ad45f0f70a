// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import flowprobe

@Suite("Talkers")
struct TalkersTests {
  private let now = Timestamp(milliseconds: 1_000_000)

  private func record(
    _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16, packets: UInt64 = 1,
    octets: UInt64, age: Int64 = 10_000, _ change: (inout FlowRecord) -> Void = { _ in }
  ) -> FlowRecord {
    var record = FlowRecord()
    let (address, version) = IPAddress.parse(source)!
    (record.key.source, record.key.version) = (address, version)
    record.key.destination = IPAddress.parse(destination)!.address
    (record.key.sourcePort, record.key.destinationPort, record.key.protocol) = (sourcePort, destinationPort, .tcp)
    record.key.ingressInterface = 3
    (record.packets, record.octets) = (packets, octets)
    record.start = now.advanced(byMilliseconds: -age)
    change(&record)
    return record
  }

  private var records: [FlowRecord] {
    [
      record("192.0.2.1", 40_000, "198.51.100.2", 443, packets: 10, octets: 1000),
      record("198.51.100.2", 443, "192.0.2.1", 40_000, packets: 8, octets: 9000),
      record("192.0.2.1", 40_001, "198.51.100.2", 80, packets: 30, octets: 500),
      record("2001:db8::1", 5353, "2001:db8::2", 5353, packets: 1, octets: 2000) { $0.key.protocol = .udp },
      record("192.0.2.7", 0, "198.51.100.2", 0x0800, packets: 2, octets: 168) { $0.key.protocol = .icmp },
    ]
  }

  private func lines(_ words: String, _ records: [FlowRecord]? = nil, mostKeys: Int = Talkers.mostKeys) throws
    -> [String]
  {
    let query = try TalkersQuery(words.split(separator: " "))
    var talkers = Talkers(query, mostKeys: mostKeys)
    for record in records ?? self.records { talkers.add(record, at: now) }
    return TalkersVisit.text(talkers, query).split(separator: "\n").map(String.init)
  }

  @Test("flows are listed by octets, packets or the order of their texts, with their rates since they began")
  func flows() throws {
    #expect(
      try lines("") == [
        "# octets packets flows bits/s flow",
        "9000 8 1 7200 TCP 198.51.100.2:443 192.0.2.1:40000",
        "2000 1 1 1600 UDP [2001:db8::1]:5353 [2001:db8::2]:5353",
        "1000 10 1 800 TCP 192.0.2.1:40000 198.51.100.2:443",
        "500 30 1 400 TCP 192.0.2.1:40001 198.51.100.2:80",
        "168 2 1 134 ICMP 192.0.2.7 198.51.100.2 8/0",
      ])
    #expect(try lines("1 by packets").dropFirst() == ["500 30 1 400 TCP 192.0.2.1:40001 198.51.100.2:80"])
    let young = [record("192.0.2.1", 1, "192.0.2.2", 2, octets: 100, age: 1)]
    #expect(try lines("", young).last == "100 1 1 800 TCP 192.0.2.1:1 192.0.2.2:2")
  }

  @Test("sources, destinations, hosts, ports, protocols and interfaces sum up what their flows carried")
  func subjects() throws {
    #expect(
      try lines("of source").dropFirst() == [
        "9000 8 1 7200 198.51.100.2", "2000 1 1 1600 2001:db8::1", "1500 40 2 1200 192.0.2.1", "168 2 1 134 192.0.2.7",
      ])
    #expect(
      try lines("of destination by flows 2").dropFirst() == ["1668 42 3 1334 198.51.100.2", "9000 8 1 7200 192.0.2.1"])
    #expect(
      try lines("2 of host").dropFirst() == ["10668 50 4 8534 198.51.100.2", "10500 48 3 8400 192.0.2.1"])
    #expect(
      try lines("of port").dropFirst() == [
        "10000 18 2 8000 TCP/443", "2000 1 1 1600 UDP/5353", "500 30 1 400 TCP/80", "168 2 1 134 ICMP",
      ])
    #expect(try lines("of protocol").dropFirst() == ["10500 48 3 8400 TCP", "2000 1 1 1600 UDP", "168 2 1 134 ICMP"])
    #expect(try lines("of interface").dropFirst() == ["12668 51 5 10134 3"])
    let itself = [record("192.0.2.1", 1, "192.0.2.1", 2, octets: 10)]
    #expect(try lines("of host", itself).dropFirst() == ["10 1 1 8 192.0.2.1"])
  }

  @Test("what is asked for is checked")
  func queries() throws {
    var query = TalkersQuery()
    (query.limit, query.measure, query.subject) = (1000, .flows, .port)
    #expect(try TalkersQuery(["of", "port", "1000", "by", "flows"]) == query)
    #expect(query.request == "top 1000 by flows of port")
    #expect(try TalkersQuery([]).request == "top 10 by octets of flow")
    for words in ["0", "1001", "-1", "x", "by", "by bytes", "of", "of all"] {
      #expect(throws: ControlRefusal.self, "\(words)") { try TalkersQuery(words.split(separator: " ")) }
    }
  }

  @Test("of more keys than there is room for the smaller half is let go, and told; single flows stay exact")
  func bounded() throws {
    // 4000 sources of one small flow each, and three that are large in many small parts.
    var records: [FlowRecord] = []
    for number in 0..<4000 {
      records.append(record("10.0.\(number / 250).\(number % 250)", 1, "192.0.2.2", 2, octets: UInt64(number % 7) + 1))
      records.append(record("192.0.2.\(number % 3 + 1)", UInt16(number), "192.0.2.9", 2, octets: 100))
    }
    let found = try lines("3 of source", records, mostKeys: 100)
    #expect(
      found[1...3] == [
        "133400 1334 1334 106720 192.0.2.1", "133300 1333 1333 106640 192.0.2.2", "133300 1333 1333 106640 192.0.2.3",
      ])
    let note = try #require(found.last)
    #expect(note.hasPrefix("# more than 65536 were seen: octets may be too small by up to "))
    let bound = try #require(UInt64(note.split(separator: " ").last ?? ""))
    #expect((1...700).contains(bound))

    let flows = try lines("2", (1...5000).map { record("192.0.2.1", UInt16($0), "192.0.2.2", 2, octets: UInt64($0)) })
    #expect(
      flows.dropFirst() == [
        "5000 1 1 4000 TCP 192.0.2.1:5000 192.0.2.2:2", "4999 1 1 3999 TCP 192.0.2.1:4999 192.0.2.2:2",
      ])
  }

  @Test("a visit sees every flow of a table once, in parts, and takes none out")
  func visit() throws {
    let table = try FlowTable.withUDPFlows(5000, at: now)
    let visit = TalkersVisit(try TalkersQuery(["of", "source"]), in: table) { now }
    var parts: [String] = []
    while let part = visit.next() { parts.append(part) }
    #expect(parts.count > 16 && parts.dropLast().allSatisfy(\.isEmpty))
    #expect(parts.last == "# octets packets flows bits/s source\n140000 5000 5000 1120000 192.0.2.1\n")
    #expect(table.statistics.active == 5000)
  }
}
