// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

/// The layouts are those of ipt_NETFLOW's blocks with 4-octet interfaces and 8-octet counters; the values are written
/// down from the records by hand.
@Suite("Flow Records on the wire")
struct RecordOctetsTests {
  private func encoded(_ record: FlowRecord, _ dialect: FieldDialect) -> [UInt8] {
    let template = Template(id: 256, fields: FlowShape(record).fields(for: dialect))
    var buffer = MessageBuffer(capacity: 256)
    template.encode(record, at: Sample.instant, to: &buffer)
    return buffer.copy
  }

  private static let ipv4Head = "c0000201 c6336402 00000000 04"
  private static let ipv6Head =
    "20010db8000000000000000000000001 20010db8000000000000000000000002 00000000000000000000000000000000 06"
  private static let counters = "00000002 00000003 000000000000000a 0000000000001388"
  private static let absolute = "0000018bcfe5687b 0000018bcfe57198"
  private static let upTimes = "000f42bb 000f4bd8"

  @Test("an IPv4 TCP Flow has addresses, ports, flags, interfaces, counters, times, protocol and TOS")
  func ipv4TCP() {
    let ports = "c000 01bb 1b"
    #expect(
      encoded(Sample.tcp, .ipfix)
        == octets(Self.ipv4Head + ports + Self.counters + Self.absolute + "06 10 03"))
    #expect(
      encoded(Sample.tcp, .netFlow9) == octets(Self.ipv4Head + ports + Self.counters + Self.upTimes + "06 10"))
  }

  @Test("an IPv6 UDP Flow has its flow label in 4 octets behind the IP version")
  func ipv6UDP() {
    let middle = "000abcde 14e9 0035 00"
    #expect(
      encoded(Sample.udp6, .ipfix)
        == octets(Self.ipv6Head + middle + Self.counters + Self.absolute + "11 00 01"))
    #expect(
      encoded(Sample.udp6, .netFlow9) == octets(Self.ipv6Head + middle + Self.counters + Self.upTimes + "11 00"))
  }

  @Test("ICMP has type and code in 32 or 139 in IPFIX, in v9 as the destination port, and of IPv4 in 32 too")
  func icmp() {
    let echo = Sample.ipv4(.icmp) { $0.key.destinationPort = 0x0800 }
    #expect(
      encoded(echo, .ipfix) == octets(Self.ipv4Head + "0800" + Self.counters + Self.absolute + "01 00 01"))
    #expect(
      encoded(echo, .netFlow9) == octets(Self.ipv4Head + "0000 0800 0800" + Self.counters + Self.upTimes + "01 00"))
    let unreachable = Sample.ipv6(.icmpv6) { $0.key.destinationPort = 0x0104 }
    #expect(
      encoded(unreachable, .ipfix)
        == octets(Self.ipv6Head + "0104" + Self.counters + Self.absolute + "3a 00 01"))
    #expect(
      encoded(unreachable, .netFlow9)
        == octets(Self.ipv6Head + "0000 0104" + Self.counters + Self.upTimes + "3a 00"))
  }

  @Test("a VLAN id is told as 58; IPFIX adds the dot1q elements of both tags, and both add the EtherType")
  func tags() {
    // Outer: priority 5, DEI set, VLAN 100. Inner: priority 2, VLAN 4094.
    let tagged = Sample.ipv4(.hip) { ($0.key.outerTag, $0.key.innerTag) = (0xb064, 0x4ffe) }
    #expect(
      encoded(tagged, .ipfix)
        == octets(
          Self.ipv4Head + Self.counters + Self.absolute + "8b 00 01" + "0064" + "0064 05" + "0ffe 02" + "0800"))
    #expect(
      encoded(tagged, .netFlow9)
        == octets(Self.ipv4Head + Self.counters + Self.upTimes + "8b 00" + "0064" + "0800"))
    let single = Sample.ipv6(.hip) { $0.key.outerTag = 0x0fff }
    #expect(
      encoded(single, .ipfix)
        == octets(Self.ipv6Head + Self.counters + Self.absolute + "8b 00 01" + "0fff" + "0fff 00" + "86dd"))
  }

  @Test("IGMP has its type in one octet")
  func igmp() {
    let report = Sample.ipv4(.igmp) { $0.key.destinationPort = 0x16 }
    #expect(
      encoded(report, .ipfix) == octets(Self.ipv4Head + Self.counters + Self.absolute + "02 00 01 16"))
    #expect(
      encoded(report, .netFlow9) == octets(Self.ipv4Head + Self.counters + Self.upTimes + "02 00 16"))
  }

  @Test("ESP and AH have the Security Parameter Index in four octets")
  func ipsec() {
    let esp = Sample.ipv4(.esp) { ($0.key.sourcePort, $0.key.destinationPort) = (0xdead, 0xbeef) }
    #expect(
      encoded(esp, .ipfix) == octets(Self.ipv4Head + Self.counters + Self.absolute + "32 00 01 deadbeef"))
    let ah = Sample.ipv6(.ah) { ($0.key.sourcePort, $0.key.destinationPort) = (0x0000, 0x0100) }
    #expect(
      encoded(ah, .netFlow9) == octets(Self.ipv6Head + Self.counters + Self.upTimes + "33 00 00000100"))
  }

  @Test("IPv4 options, extension headers and TCP options stand where ipt_NETFLOW's blocks have them")
  func options() {
    let ipv4 = Sample.ipv4(.tcp) {
      $0.ipOptions = 0x0000_0080
      $0.tcpOptions = 0x0000_011c
    }
    #expect(
      encoded(ipv4, .ipfix)
        == octets(
          Self.ipv4Head + "00000080" + "0000 0000 00" + Self.counters + Self.absolute + "06 00 01" + "0000011c"))
    let ipv6 = Sample.ipv6(.sctp) {
      $0.flowLabel = 1
      $0.ipOptions = 0x4000_0000
    }
    #expect(
      encoded(ipv6, .netFlow9)
        == octets(
          Self.ipv6Head + "00000001" + "40000000" + "0000 0000 00" + Self.counters + Self.upTimes + "84 00"))
  }

  @Test("what a source knows beside leaves in its registered lengths, the user in 16 octets of text")
  func detail() {
    let record = Sample.ipv4(.hip) {
      $0.direction = .egress
      $0.detail.ingressPhysicalInterface = 4
      $0.detail.egressPhysicalInterface = 0x0102_0304
      $0.detail.sourceMACAddress = mac("020a0b0c0d0e")
      $0.detail.destinationMACAddress = mac("0200000000ff")
      $0.detail.userID = 4_294_967_295
      $0.detail.mark = 0xdead_beef
    }
    let counters = "00000002 00000003 00000004 01020304 000000000000000a 0000000000001388"
    let end = "0200000000ff 020a0b0c0d0e 0800 01" + "34323934393637323935 000000000000"
    #expect(
      encoded(record, .ipfix)
        == octets(Self.ipv4Head + counters + Self.absolute + "8b 00 01" + end + "deadbeef"))
    #expect(encoded(record, .netFlow9) == octets(Self.ipv4Head + counters + Self.upTimes + "8b 00" + end))
    let root = Sample.ipv6(.hip) {
      $0.direction = .ingress
      $0.detail.userID = 0
    }
    #expect(
      encoded(root, .ipfix)
        == octets(
          Self.ipv6Head + Self.counters + Self.absolute + "8b 00 01" + "00" + "30" + "000000000000000000000000000000"))
  }

  @Test("a labelled flow has sections of three octets; behind the bottom of the stack they are zero")
  func labels() {
    for (dialect, head) in [
      (FieldDialect.ipfix, Self.ipv4Head + Self.counters + Self.absolute + "8b 00 01"),
      (.netFlow9, Self.ipv4Head + Self.counters + Self.upTimes + "8b 00"),
    ] {
      let fields = FlowShape(Sample.labelled(3)).fields(for: dialect, labels: 4)
      var buffer = MessageBuffer(capacity: 256)
      Template(id: 256, fields: fields).encode(Sample.labelled(3), at: Sample.instant, to: &buffer)
      #expect(buffer.copy == octets(head + "3f 00000003 00010a 000110 fffff3 000000"))
    }
  }

  @Test("counters leave with all their 64 bits, times shifted to the wall clock")
  func wide() {
    var record = Sample.ipv4(.hip)
    (record.packets, record.octets) = (0x0102_0304_0506_0708, .max)
    let template = Template(id: 256, fields: FlowShape(record).fields(for: .ipfix))
    var buffer = MessageBuffer(capacity: 256)
    let shifted = ExportInstant(now: Sample.instant.now, boot: Sample.instant.boot, shift: -0x7b)
    template.encode(record, at: shifted, to: &buffer)
    let encoded = buffer.copy
    #expect(
      encoded
        == octets(
          Self.ipv4Head + "00000002 00000003 0102030405060708 ffffffffffffffff" + "0000018bcfe56800 0000018bcfe5711d"
            + "8b 00 01"))
  }

  @Test("sysUpTime wraps after 49.7 days, and a Flow that began before the device counts backwards from it")
  func upTimeWraps() {
    let instant = ExportInstant(now: Timestamp(milliseconds: 0), boot: Timestamp(milliseconds: 1000))
    #expect(instant.upTime(Timestamp(milliseconds: 1000)) == 0)
    #expect(instant.upTime(Timestamp(milliseconds: 4_294_968_296)) == 0)
    #expect(instant.upTime(Timestamp(milliseconds: 999)) == 4_294_967_295)
  }
}
