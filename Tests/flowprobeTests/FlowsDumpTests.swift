// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import flowprobe

@Suite("The dump of the table's flows")
struct FlowsDumpTests {
  private let now = Timestamp(milliseconds: 1_000_000)

  private func record(_ change: (inout FlowRecord) -> Void = { _ in }) -> FlowRecord {
    var record = FlowRecord()
    record.key.source = IPAddress.parse("192.0.2.1")!.address
    record.key.destination = IPAddress.parse("198.51.100.2")!.address
    record.key.protocol = .tcp
    (record.key.sourcePort, record.key.destinationPort, record.key.classOfService) = (49_152, 443, 0xb8)
    (record.key.ingressInterface, record.egressInterface) = (2, 3)
    (record.packets, record.octets) = (10, 5000)
    (record.tcpControlBits, record.tcpOptions, record.ipOptions) = (0x1b, 0x1100_0000, 0)
    record.start = now.advanced(byMilliseconds: -5432)
    record.end = now.advanced(byMilliseconds: -21)
    change(&record)
    return record
  }

  private func dump(macs: Bool = false) -> FlowsDump {
    var program = StatisticsSample.program
    program.expiration.activeTimeout = .seconds(60)
    program.recordsMACAddresses = macs
    return FlowsDump(program)
  }

  @Test("a flow has a line in ipt_NETFLOW's columns, under a heading that names them")
  func line() {
    var dump = dump()
    #expect(
      dump.heading
        == "# hash a dev:i,o vlan type proto src:ip,port dst:ip,port nexthop tos,tcpflags,options,tcpoptions"
        + " packets bytes ts:first,last\n")
    #expect(
      dump.line(record(), bucket: 0x2a, at: now)
        == "1 002a 0 2,3 0 0800 6 192.0.2.1,49152 198.51.100.2,443 0.0.0.0 b8,1b,0,11000000 10 5000 5432,21\n")
    let tagged = record { ($0.key.outerTag, $0.key.innerTag) = (100, 200) }
    #expect(
      dump.line(tagged, bucket: 0x12345, at: now)
        == "2 12345 0 2,3 100,200 0800 6 192.0.2.1,49152 198.51.100.2,443 0.0.0.0 b8,1b,0,11000000 10 5000 5432,21\n")
  }

  @Test("IPv6 has its own type and addresses, MAC addresses a column where they are recorded")
  func columns() {
    var dump = dump(macs: true)
    #expect(dump.heading.contains(" dev:i,o mac:src,dst vlan "))
    let six = record {
      $0.key.version = .v6
      $0.key.source = IPAddress.parse("2001:db8::1")!.address
      $0.key.destination = IPAddress.parse("2001:db8::2")!.address
    }
    #expect(
      dump.line(six, bucket: 0, at: now)
        == "1 0000 0 2,3 00:00:00:00:00:00,00:00:00:00:00:00 0 86dd 6 2001:db8::1,49152 2001:db8::2,443 ::"
        + " b8,1b,0,11000000 10 5000 5432,21\n")
  }

  @Test("a flow that is due says by which timeout")
  func due() {
    var dump = dump()
    func due(_ first: Int64, _ last: Int64) -> Substring {
      let record = record {
        ($0.start, $0.end) = (now.advanced(byMilliseconds: -first), now.advanced(byMilliseconds: -last))
      }
      return dump.line(record, bucket: 0, at: now).split(separator: " ")[2]
    }
    #expect(due(14_999, 14_999) == "0")
    #expect(due(15_000, 15_000) == "1")
    #expect(due(60_000, 0) == "2")
    #expect(due(75_000, 15_000) == "3")
  }

  @Test("every flow of a table has a line, in parts, and none is taken out")
  func table() throws {
    let table = try FlowTable.withUDPFlows(5000, at: now)
    var dump = dump()
    var (parts, text) = (0, "")
    while let lines = dump.nextLines(of: table, at: now) {
      parts += 1
      text += lines
    }
    let rows = text.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(rows.map { String($0[0]) } == (1...5000).map(String.init))
    #expect(Set(rows.map { $0[7] }).count == 5000)
    #expect(rows.allSatisfy { $0.count == 14 })
    #expect(parts > 16)
    #expect(table.statistics.active == 5000)

    var limited = FlowsDump(StatisticsSample.program, limit: 300)
    var first: [Substring] = []
    while let lines = limited.nextLines(of: table, at: now) { first += lines.split(separator: "\n") }
    #expect(first.count == 300)
    #expect(first.last?.hasPrefix("300 ") == true)
  }
}
