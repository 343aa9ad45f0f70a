// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Decoding IP and transport headers")
struct DecoderTests {
  @Test("an IPv4 TCP segment gives addresses, ports, flags and the total length")
  func tcp() throws {
    let (seen, remark, failure) = decode(Packets.tcp)
    #expect(failure == nil && remark == nil)
    #expect(seen.key.version == .v4)
    #expect(seen.key.source.text(.v4) == "192.0.2.1")
    #expect(seen.key.destination.text(.v4) == "198.51.100.2")
    #expect(seen.key.sourcePort == 1234)
    #expect(seen.key.destinationPort == 80)
    #expect(seen.key.protocol == .tcp)
    #expect(seen.tcpControlBits == 0x02)
    #expect(seen.octets == 40)
    #expect(seen.time == Timestamp(milliseconds: 1000))
  }

  @Test(
    "most frames' own way through the decoder tells what the general one does",
    arguments: [6, 17, 1, 50, 47] as [UInt8]
  )
  func plainFrames(number: UInt8) {
    var random = SplitMix64(state: UInt64(number))
    let datagram = Packets.ipv4(protocol: number, (0..<40).map { UInt8($0) })
    for round in 0..<5000 {
      var datagram = datagram
      // Of the header's octets some, and a cut at every length.
      for _ in 0..<round % 4 { datagram[Int(random.next() % 34)] = UInt8(truncatingIfNeeded: random.next()) }
      datagram.removeLast(round % 30)
      let plain = decode([UInt8](repeating: 2, count: 12) + [8, 0] + datagram, .ethernet)
      // Linux cooked capture has two octets more, and no way of its own.
      let general = decode([UInt8](repeating: 2, count: 14) + [8, 0] + datagram, .linuxSLL)
      #expect(plain.failure == general.failure)
      #expect(plain.remark == general.remark)
      guard plain.failure == nil else { continue }
      #expect(plain.observation.key == general.observation.key)
      #expect(plain.observation.octets == general.observation.octets)
      #expect(plain.observation.ipOptions == general.observation.ipOptions)
      #expect(plain.observation.tcpOptions == general.observation.tcpOptions)
      #expect(plain.observation.tcpControlBits == general.observation.tcpControlBits)
      #expect(plain.observation.fragment == general.observation.fragment)
      #expect(plain.observation.fragmentIdentification == general.observation.fragmentIdentification)
    }
  }

  @Test("padding behind the datagram is not counted")
  func padding() {
    #expect(decode(Packets.udp + [UInt8](repeating: 0, count: 18)).observation.octets == 28)
  }

  @Test("the whole TOS octet and the whole Traffic Class are the class of service")
  func classOfService() {
    #expect(decode(Packets.udp).observation.key.classOfService == 0xb8)
    #expect(decode(Packets.udpIPv6).observation.key.classOfService == 0xb8)
  }

  @Test("an IPv6 packet counts its payload length and forty, and has a flow label of 20 bits")
  func ipv6() {
    let seen = decode(Packets.udpIPv6).observation
    #expect(seen.octets == 48)
    #expect(seen.flowLabel == 0xabcde)
    #expect(seen.key.source.text(.v6) == "2001:db8::1")
    #expect(seen.key.destination.text(.v6) == "2001:db8::2")
    #expect([seen.key.sourcePort, seen.key.destinationPort] == [1000, 2000])
  }

  @Test(
    "ports are read of the protocols that begin with them",
    arguments: [UInt8(17), 136, 132, 33])
  func ports(number: UInt8) {
    let key = decode(Packets.ipv4(protocol: number, [0, 1, 0, 2, 0, 0, 0, 0])).observation.key
    #expect([key.sourcePort, key.destinationPort] == [1, 2])
  }

  @Test("ICMP type and code stand in the destination port")
  func icmp() {
    let key = decode(Packets.ipv4(protocol: 1, [3, 13, 0, 0])).observation.key
    #expect([key.sourcePort, key.destinationPort] == [0, 0x030d])
    let key6 = decode(Packets.ipv6(nextHeader: 58, [128, 0, 0, 0])).observation.key
    #expect(key6.destinationPort == 0x8000)
  }

  @Test("IGMP's type and the Security Parameters Index of AH and ESP stand in the ports")
  func otherKeys() {
    #expect(decode(Packets.ipv4(protocol: 2, [0x22])).observation.key.destinationPort == 0x22)
    let esp = decode(Packets.ipv4(protocol: 50, [0x12, 0x34, 0x56, 0x78])).observation.key
    #expect([esp.sourcePort, esp.destinationPort] == [0x1234, 0x5678])
    let ah = decode(Packets.ipv4(protocol: 51, [6, 4, 0, 0, 0x12, 0x34, 0x56, 0x78])).observation.key
    #expect([ah.sourcePort, ah.destinationPort] == [0x1234, 0x5678])
  }

  @Test("a protocol without ports has ports 0")
  func noPorts() {
    let key = decode(Packets.ipv4(protocol: 47, [9, 9, 9, 9])).observation.key
    #expect([key.sourcePort, key.destinationPort] == [0, 0])
  }

  @Test("TCP options set a bit each, least significant first")
  func tcpOptions() {
    // MSS (2), SACK permitted (4), Timestamps (8), NOP (1), Window Scale (3): as Linux sends them in a SYN.
    var packet = Packets.tcp
    packet[3] = 60
    packet[32] = 0xa0
    packet += Packets.octets("02 04 05 b4 04 02 08 0a 00 00 00 01 00 00 00 00 01 03 03 07")
    #expect(decode(packet).observation.tcpOptions == 0b1_0001_1110)
    // NOP, NOP, Timestamps: as in every later segment.
    packet = Array(packet[..<40]) + Packets.octets("01 01 08 0a 00 00 00 01 00 00 00 01")
    packet[3] = 52
    packet[32] = 0x80
    #expect(decode(packet).observation.tcpOptions == 0b1_0000_0010)
  }

  @Test("a TCP option of length 0 ends the walk")
  func tcpOptionLoop() {
    var packet = Packets.tcp + Packets.octets("05 00 02 04")
    packet[3] = 44
    packet[32] = 0x60
    #expect(decode(packet).observation.tcpOptions == 1 << 5)
  }

  @Test("IPv4 options set a bit each by their number")
  func ipv4Options() {
    // Router Alert (148, number 20), End of Options.
    let packet = Packets.octets(
      "46 00 00 20 00 01 00 00 01 02 00 00 c0 00 02 01 e0 00 00 16 94 04 00 00 22 00 00 00 00 00 00 00")
    let seen = decode(packet).observation
    #expect(seen.ipOptions == 1 << 20)
    #expect(seen.key.destinationPort == 0x22)
  }

  @Test("IPv6 extension headers are walked to the transport header and remembered")
  func extensionHeaders() {
    // Hop-by-Hop, Destination Options, Routing, then UDP 1 > 2.
    let packet = Packets.ipv6(
      nextHeader: 0,
      Packets.octets(
        """
        3c 00 01 04 00 00 00 00  2b 00 01 04 00 00 00 00  11 00 00 00 00 00 00 00  00 01 00 02 00 08 00 00
        """))
    let seen = decode(packet).observation
    #expect(seen.key.protocol == .udp)
    #expect([seen.key.sourcePort, seen.key.destinationPort] == [1, 2])
    #expect(seen.ipOptions == 0xc400_0000)
  }

  @Test("an IPv6 authentication header is passed, an encrypted payload ends the walk")
  func ipsecIPv6() {
    let ah = decode(
      Packets.ipv6(nextHeader: 51, Packets.octets("11 01 00 00 00 00 00 09 00 00 00 01  00 01 00 02 00 08 00 00")))
    #expect(ah.observation.key.protocol == .udp)
    #expect(ah.observation.key.destinationPort == 2)
    let esp = decode(Packets.ipv6(nextHeader: 50, [0, 0, 0, 9, 0, 0, 0, 1]))
    #expect(esp.observation.key.protocol == .esp)
    #expect(esp.observation.key.destinationPort == 9)
  }

  @Test("a chain of extension headers that breaks off or never ends is remarked, and metered with ports 0")
  func brokenChain() {
    let cut = decode(Packets.ipv6(nextHeader: 0, [60, 9, 0, 0]))
    #expect(cut.remark == .extensionHeadersTruncated && cut.failure == nil)
    #expect(cut.observation.key.protocol == .hopByHop)
    let endless = decode(
      Packets.ipv6(nextHeader: 60, (0..<100).flatMap { _ in [60, 0, 1, 4, 0, 0, 0, 0] as [UInt8] }))
    #expect(endless.remark == .extensionHeadersTruncated)
  }

  @Test("an extension header behind the end of the datagram is not one")
  func headerInPadding() {
    let packet = Packets.ipv6(nextHeader: 0, []) + Packets.octets("3a 00 01 04 00 00 00 00")
    let seen = decode(packet)
    #expect(seen.observation.key.protocol == .hopByHop)
    #expect(seen.remark == .extensionHeadersTruncated)
  }

  @Test("a jumbogram counts its Jumbo Payload length")
  func jumbogram() {
    var packet = Packets.ipv6(nextHeader: 0, Packets.octets("11 00 c2 04 00 01 86 a0 00 01 00 02 00 00 00 00"))
    (packet[4], packet[5]) = (0, 0)
    let seen = decode(packet, wireLength: 100_040).observation
    #expect(seen.octets == 100_040)
    #expect(seen.key.destinationPort == 2)
  }

  @Test("a merged IPv4 packet of more than 65535 octets, its length 0, counts the frame's")
  func mergedIPv4() {
    var packet = Packets.tcp
    (packet[2], packet[3]) = (0, 0)
    #expect(decode(packet, wireLength: 100_000).observation.octets == 100_000)
    #expect(decode(packet).failure == .ipv4TotalLength)
  }

  @Test("a merged IPv6 packet of more than 65535 octets counts the frame's, also without a jumbo payload option")
  func mergedIPv6() {
    var packet = Packets.udpIPv6
    (packet[4], packet[5]) = (0, 0)
    let seen = decode(packet, wireLength: 180_040)
    #expect(seen.observation.octets == 180_040 && seen.observation.key.destinationPort == 2000)
    #expect(decode(packet, wireLength: 65_575).observation.octets == 40)
  }

  @Test(
    "a header that cannot be one is counted by its reason",
    arguments: [
      ("55", 0, DecodeFailure.notIP), ("44", 0, .ipv4HeaderLength), ("45 00 00 13", 0, .ipv4TotalLength),
      ("45", 19, .ipv4HeaderTruncated), ("60", 39, .ipv6HeaderTruncated),
    ])
  func failures(start: String, length: Int, reason: DecodeFailure) {
    var packet = [UInt8](repeating: 0, count: length == 0 ? 60 : length)
    packet.replaceSubrange(0..<Packets.octets(start).count, with: Packets.octets(start))
    #expect(decode(packet).failure == reason)
  }

  @Test("a frame shorter than its IP length is metered by that length, and remarked")
  func slicedFrame() {
    var packet = Packets.tcp
    (packet[2], packet[3]) = (0x05, 0xdc)
    let seen = decode(packet, wireLength: 128)
    #expect(seen.observation.octets == 1500)
    #expect(seen.remark == .frameShorterThanPacket)
  }

  @Test("every truncation of a packet is metered or counted, and none reads beyond the end")
  func truncations() {
    for packet in [Packets.tcp, Packets.udp, Packets.udpIPv6] {
      let fixed = packet[0] >> 4 == 4 ? 20 : 40
      for length in 0..<packet.count {
        let seen = decode(Array(packet[..<length]), wireLength: packet.count)
        if length < fixed {
          #expect(seen.failure != nil)
        } else {
          #expect(seen.failure == nil)
          #expect((seen.remark == .transportTruncated) == (length < fixed + (packet[9] == 6 ? 14 : 4)))
        }
      }
    }
  }
}
