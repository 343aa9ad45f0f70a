// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("Filters of Flow Records and NAT events")
struct FlowFilterTests {
  private func matches(_ expression: String, _ record: FlowRecord) throws -> Bool {
    var packet = SyntheticPacket()
    packet.describe(record)
    return packet.isMatched(by: try FlowFilter(expression))
  }

  private func matches(_ expression: String, _ event: NATEvent) throws -> Bool {
    var packet = SyntheticPacket()
    packet.describe(event)
    return packet.isMatched(by: try FlowFilter(expression))
  }

  @Test(
    "a TCP record is what its addresses, ports, control bits, class of service and mean length say",
    arguments: [
      "tcp", "ip", "ip proto 6", "src host 192.0.2.1", "dst net 198.51.100.0/24", "port 443", "tcp dst port 443",
      "src portrange 49000-50000", "tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] & tcp-rst == 0", "ip[1] = 0x10",
      "less 500", "greater 500", "ip[2:2] = 500", "tcp[12] = 0x50", "not udp and host 198.51.100.2",
      "ip[6:2] & 0x3fff = 0",
    ])
  func tcp(expression: String) throws { #expect(try matches(expression, Sample.tcp)) }

  @Test(
    "what a record does not say does not match",
    arguments: [
      "udp", "ip6", "src host 198.51.100.2", "src port 443", "port 80", "tcp[tcpflags] & tcp-rst != 0", "greater 501",
      "less 499", "host 192.0.2.2", "tcp[20] = 0", "not tcp", "ip[8] > 0",
    ])
  func others(expression: String) throws { #expect(try !matches(expression, Sample.tcp)) }

  @Test("IPv6 records have their addresses, ports, class and label")
  func ipv6() throws {
    var record = Sample.udp6
    record.key.classOfService = 0xb8
    for expression in [
      "ip6", "udp", "udp port 53", "src host 2001:db8::1", "dst net 2001:db8::/32", "ip6 proto 17", "src port 5353",
      "ip6[0:4] = 0x6b8abcde", "ip6[4:2] = 460", "greater 500 and less 500",
    ] {
      #expect(try matches(expression, record), "\(expression)")
    }
    #expect(try !matches("ip", record))
  }

  @Test("ICMP has type and code, IGMP its type, AH and ESP the SPI")
  func withoutPorts() throws {
    #expect(
      try matches(
        "icmp[icmptype] = icmp-unreach and icmp[1] = 4", Sample.ipv4(.icmp) { $0.key.destinationPort = 0x0304 }))
    #expect(try matches("icmp6 and ip6[40] = 128", Sample.ipv6(.icmpv6) { $0.key.destinationPort = 0x8000 }))
    #expect(try matches("igmp[0] = 0x16", Sample.ipv4(.igmp) { $0.key.destinationPort = 0x16 }))
    func secured(_ number: IPProtocol) -> FlowRecord {
      Sample.ipv4(number) { ($0.key.sourcePort, $0.key.destinationPort) = (0x0102, 0x0304) }
    }
    #expect(try matches("esp and ip[20:4] = 0x01020304", secured(.esp)))
    #expect(try matches("ah and ip[24:4] = 0x01020304", secured(.ah)))
    #expect(try matches("ip proto 139", Sample.ipv4(.hip)))
  }

  @Test("every protocol with ports has them, and UDP its length")
  func ports() throws {
    for number in [IPProtocol.udp, .udpLite, .sctp, .dccp] {
      let record = Sample.ipv4(number) { ($0.key.sourcePort, $0.key.destinationPort) = (5000, 53) }
      #expect(try matches("ip[20:2] = 5000 and ip[22:2] = 53", record))
    }
    #expect(try matches("udp[4:2] = 480", Sample.ipv4(.udp)))
    #expect(try matches("sctp port 53", Sample.ipv4(.sctp) { $0.key.destinationPort = 53 }))
  }

  @Test("a record of no packets, and one of octets beyond any packet, have lengths all the same")
  func oddLengths() throws {
    #expect(try matches("ip[2:2] = 0", Sample.ipv4(.udp) { $0.packets = 0 }))
    #expect(try matches("ip[2:2] = 65535", Sample.ipv4(.udp) { ($0.packets, $0.octets) = (1, .max) }))
    #expect(try matches("ip6[4:2] = 65535", Sample.ipv6(.udp) { ($0.packets, $0.octets) = (1, .max) }))
  }

  @Test("a NAT event is the first packet as it arrived")
  func events() throws {
    #expect(try matches("udp and src host 10.0.0.2 and src port 1000 and dst port 53", Sample.sourceTranslated))
    #expect(try !matches("host 203.0.113.1 or port 2000", Sample.sourceTranslated))
    #expect(try matches("tcp and dst host 203.0.113.1 and dst port 8080", Sample.destinationTranslated))
    #expect(try !matches("host 10.0.0.3", Sample.destinationTranslated))
    #expect(try matches("icmp and icmp[4:2] = 77", Sample.echoTranslated))
    #expect(try matches("ip6 and udp dst port 443", Sample.ipv6Translated))
  }

  @Test(
    "what libpcap does not understand, or a flow does not have, is refused in its words",
    arguments: [
      ("tcp port", "syntax error"), ("vlan 5", "no VLAN support for Raw IP"),
      ("ether host 02:00:00:00:00:01", "ethernet addresses"),
      ("port 99999", "illegal port number"),
    ])
  func refused(expression: String, reason: String) throws {
    do throws(FlowFilterError) {
      _ = try FlowFilter(expression)
      Issue.record("'\(expression)' was taken")
    } catch {
      #expect(error.expression == expression)
      #expect(error.reason.contains(reason), "\(error.reason)")
    }
  }

  @Test("filters of the same words are equal")
  func equality() throws {
    #expect(try FlowFilter("tcp") == FlowFilter("tcp"))
    #expect(try FlowFilter("tcp") != FlowFilter("udp"))
    #expect(Set([try FlowFilter("tcp"), try FlowFilter("tcp")]).count == 1)
  }

  @Test("of more records than a buffer holds each is chosen or counted")
  func selection() throws {
    let selection = RecordSelection(try FlowFilter("tcp"))
    let records = (0..<1000).map { $0 % 3 == 0 ? Sample.udp6 : Sample.tcp }
    var (filtered, chosen) = (FlowTotals(), 0)
    withBuffer(records) { buffer in
      selection.choose(from: buffer, filtered: &filtered) {
        for i in 0..<$0.count where $0[i].key.protocol == .tcp { chosen += 1 }
      }
    }
    #expect(chosen == 666)
    #expect(filtered == FlowTotals(flows: 334, packets: 3340, octets: 1_670_000))
  }
}
