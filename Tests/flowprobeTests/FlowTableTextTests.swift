// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import flowprobe

@Suite("Flows as a table")
struct FlowTableTextTests {
  private func record(
    _ number: IPProtocol, _ source: String, _ destination: String, _ change: (inout FlowRecord) -> Void = { _ in }
  ) -> FlowRecord {
    var record = FlowRecord()
    let (from, to) = (IPAddress.parse(source)!, IPAddress.parse(destination)!)
    (record.key.source, record.key.destination, record.key.version) = (from.address, to.address, from.version)
    record.key.protocol = number
    (record.packets, record.octets) = (10, 5000)
    record.start = Timestamp(milliseconds: 1_700_000_000_123)
    record.end = Timestamp(milliseconds: 1_700_000_002_456)
    record.endReason = .idleTimeout
    change(&record)
    return record
  }

  /// The cells of a record's row.
  private func cells(_ record: FlowRecord) -> [String] {
    var table = FlowTableText()
    let lines = table.text(of: [record]).split(separator: "\n")
    return lines[1].split(separator: " ").map(String.init)
  }

  @Test("a heading stands above the first rows, numbers to the right and texts to the left of their columns")
  func alignment() {
    var table = FlowTableText()
    let tcp = record(.tcp, "192.0.2.1", "198.51.100.2") {
      ($0.key.sourcePort, $0.key.destinationPort) = (49152, 443)
      ($0.key.classOfService, $0.key.ingressInterface, $0.tcpControlBits) = (16, 2, 0x1b)
      $0.endReason = .endOfFlowDetected
    }
    let heading =
      "START                    SECONDS  PROTO  SOURCE                 DESTINATION            PACKETS   OCTETS  "
      + "FLAGS     TOS  IF  VLAN  END\n"
    let row =
      "2023-11-14 22:13:20.123    2.333  TCP    192.0.2.1:49152        198.51.100.2:443            10     5000  "
      + "...AP.SF   16   2     -  closed\n"
    #expect(table.text(of: [tcp]) == heading + row)
    // The heading comes once.
    #expect(table.text(of: [tcp]) == row)
  }

  @Test("where labels are recorded, a column has them from the top, and how many more there were")
  func labels() {
    func shown(_ recorded: Int) -> Substring? {
      var table = FlowTableText(showsLabels: true)
      let flow = record(.udp, "192.0.2.1", "192.0.2.2") {
        let entries: [UInt8] = [0, 1, 0, 64, 0, 1, 0x10, 64, 0xff, 0xff, 0xf1, 64]
        $0.key.recordedLabels = UInt8(recorded)
        if recorded > 0 { $0.labels = unsafe MPLSLabelStack(entries.span.bytes, at: 0, depth: 3, recorded: recorded) }
      }
      let lines = table.text(of: [flow]).split(separator: "\n").map { $0.split(separator: " ") }
      return lines[0].firstIndex(of: "LABELS").map { lines[1][$0 + 1] }
    }
    #expect([0, 1, 3].map(shown) == ["-", "16+2", "16/17/1048575"])
  }

  @Test("every row of a wide column is as wide, and stays so")
  func widening() {
    var table = FlowTableText()
    let narrow = record(.udp, "192.0.2.1", "192.0.2.2")
    let wide = record(.udp, "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8::2") { $0.octets = 12_345_678_901 }
    let first = table.text(of: [narrow, wide]).split(separator: "\n")
    let second = table.text(of: [narrow]).split(separator: "\n")
    #expect(first.count == 3)
    // The same flow has the same row once the column is wide.
    #expect(second == [first[1]])
    #expect(Set(first.map { $0.utf8.count - $0.split(separator: " ").last!.utf8.count }).count == 1)
  }

  @Test("times are of the wall clock, durations in seconds to the millisecond")
  func times() {
    let long = record(.udp, "192.0.2.1", "192.0.2.2") { $0.end = Timestamp(milliseconds: 1_700_000_061_127) }
    #expect(cells(long)[0...2] == ["2023-11-14", "22:13:20.123", "61.004"])
    let single = record(.udp, "192.0.2.1", "192.0.2.2") { $0.end = $0.start }
    #expect(cells(single)[2] == "0.000")
  }

  @Test("protocols have names where they have ports or types, else their number")
  func protocols() {
    let names = [
      6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMP6", 2: "IGMP", 132: "SCTP", 33: "DCCP", 136: "UDPL", 50: "ESP",
      51: "AH", 47: "47", 0: "0",
    ]
    for (number, name) in names {
      #expect(cells(record(IPProtocol(rawValue: UInt8(number)), "192.0.2.1", "192.0.2.2"))[3] == name)
    }
  }

  @Test("ports stand behind the address, which is in brackets if it is of IPv6")
  func endpoints() {
    func ends(_ record: FlowRecord) -> [String] { Array(cells(record)[4...5]) }
    func ports(_ record: inout FlowRecord) { (record.key.sourcePort, record.key.destinationPort) = (5353, 53) }
    #expect(ends(record(.udp, "192.0.2.1", "192.0.2.2", ports)) == ["192.0.2.1:5353", "192.0.2.2:53"])
    #expect(ends(record(.sctp, "2001:db8::1", "2001:db8::2", ports)) == ["[2001:db8::1]:5353", "[2001:db8::2]:53"])
    #expect(ends(record(.esp, "2001:db8::1", "2001:db8::2", ports)) == ["2001:db8::1", "2001:db8::2"])
  }

  @Test("ICMP has type and code behind the destination")
  func icmp() {
    let row = cells(record(.icmp, "192.0.2.1", "192.0.2.2") { $0.key.destinationPort = 0x0304 })
    #expect(row[4...7] == ["192.0.2.1", "192.0.2.2", "3/4", "10"])
  }

  @Test("ICMP to the own address has type and code behind the destination too, and only there")
  func icmpToSelf() {
    let row = cells(record(.icmp, "127.0.0.1", "127.0.0.1") { $0.key.destinationPort = 0x0800 })
    #expect(row[4...7] == ["127.0.0.1", "127.0.0.1", "8/0", "10"])
  }

  @Test("flags are CEUAPRSF with dots for those not set, and a dash for other protocols")
  func flags() {
    func flags(_ number: IPProtocol, _ bits: UInt8) -> String {
      cells(record(number, "192.0.2.1", "192.0.2.2") { $0.tcpControlBits = bits })[8]
    }
    #expect(flags(.tcp, 0xff) == "CEUAPRSF")
    #expect(flags(.tcp, 0) == "........")
    #expect(flags(.tcp, 0x12) == "...A..S.")
    #expect(flags(.udp, 0xff) == "-")
  }

  @Test("VLAN ids are shown outer first, without their priorities")
  func tags() {
    func tags(_ outer: UInt16, _ inner: UInt16) -> String {
      cells(record(.udp, "192.0.2.1", "192.0.2.2") { ($0.key.outerTag, $0.key.innerTag) = (outer, inner) })[11]
    }
    #expect(tags(0, 0) == "-")
    #expect(tags(0xb064, 0) == "100")
    #expect(tags(0xb064, 0x4ffe) == "100/4094")
  }

  @Test("why a flow ended is told in a word")
  func ends() {
    let words = [1: "idle", 2: "active", 3: "closed", 4: "stop", 5: "full", 9: "9"]
    for (number, word) in words {
      let ended = record(.udp, "192.0.2.1", "192.0.2.2") { $0.endReason = FlowEndReason(rawValue: UInt8(number)) }
      #expect(cells(ended).last == word)
    }
  }
}
