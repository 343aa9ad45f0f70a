// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter
@testable import FlowNetfilter

@Suite("Packets of NFLOG groups")
struct NFLogPacketTests {
  private static func packets(_ octets: [UInt8]) -> [NFLogPacket] {
    var packets: [NFLogPacket] = []
    forEachMessage(octets) { bytes, message in
      if message.type == NFLogPacket.messageType { packets.append(NFLogPacket(bytes, message.payload)) }
    }
    return packets
  }

  private func packet(_ name: String) throws -> NFLogPacket {
    try #require(Self.packets(RecordedMessage.nflog(name).octets).first)
  }

  /// The packet in the words of tshark.
  private static func words(_ packet: NFLogPacket, _ octets: [UInt8]) -> [String] {
    var words = ["protocol=0x" + (packet.etherType < 0x1000 ? "0" : "") + String(packet.etherType, radix: 16)]
    words.append("hook=\(packet.hook)")
    let indexes = [
      ("ifindex_indev", packet.ingressInterface), ("ifindex_outdev", packet.egressInterface),
      ("ifindex_physindev", packet.physicalIngressInterface),
      ("ifindex_physoutdev", packet.physicalEgressInterface),
    ]
    for (name, index) in indexes where index != 0 { words.append("\(name)=\(index)") }
    if let user = packet.userID { words.append("uid=\(user)") }
    let bytes = octets[packet.payload]
    func number(_ place: Int) -> Int { bytes[(bytes.startIndex + place)...].prefix(2).reduce(0) { $0 << 8 | Int($1) } }
    func text(_ place: Int, _ version: IPVersion) -> String {
      let length = version == .v4 ? 4 : 16
      let octets = Array(bytes[(bytes.startIndex + place)...].prefix(length)) + Array(repeating: 0, count: 16 - length)
      let address = unsafe octets.span.bytes.ipv6Address(at: 0)
      return address.text(version)
    }
    if packet.etherType == 0x0800 {
      words += ["ip.src=" + text(12, .v4), "ip.dst=" + text(16, .v4)]
      words += ["udp.srcport=\(number(20))", "udp.dstport=\(number(22))"]
    } else {
      words += ["ipv6.src=" + text(8, .v6), "ipv6.dst=" + text(24, .v6)]
      words += ["udp.srcport=\(number(40))", "udp.dstport=\(number(42))"]
    }
    return words
  }

  /// The same words of a line of tshark's fields.
  private static func words(_ line: String) -> [String] {
    let names = [
      "protocol", "hook", "ifindex_indev", "ifindex_outdev", "ifindex_physindev", "ifindex_physoutdev", "uid",
      "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport",
    ]
    return line.split(separator: " ").map(String.init).filter { word in
      names.contains { word.hasPrefix($0 + "=") }
    }
  }

  @Test(
    "EtherType, hook, interfaces, user and the packet itself are what tshark prints", arguments: RecordedMessage.nflog)
  func recorded(_ recorded: RecordedMessage) {
    let packets = Self.packets(recorded.octets)
    #expect(packets.map { Self.words($0, recorded.octets) } == recorded.witness.map(Self.words))
  }

  @Test("PREROUTING has an ingress interface, an Ethernet header, a mark, a time and a number")
  func prerouting() throws {
    let packet = try packet("PREROUTING, marked, with a prefix")
    #expect(packet.etherType == 0x0800)
    #expect(packet.hook == 0)
    #expect([packet.ingressInterface, packet.egressInterface] == [2, 0])
    #expect(packet.mark == 0x2a)
    // tshark: Nov 21, 2026 18:42:33.110354000 UTC
    #expect(packet.time == Timestamp(milliseconds: 1_795_286_553_110))
    #expect(packet.sequence == 0)
    #expect(packet.userID == nil)
    #expect(packet.ethernetHeader.count == 14)
    #expect(packet.payload.count == 36)
    #expect(packet.outerTag == 0)
    #expect(packet.conntrack.isEmpty)
    #expect(try self.packet("PREROUTING, IPv6").sequence == 1)
  }

  @Test("FORWARD has both interfaces, and a packet of 428 octets is cut after 160")
  func forward() throws {
    let packet = try packet("FORWARD, cut after 160 octets")
    #expect([packet.ingressInterface, packet.egressInterface] == [2, 3])
    #expect(packet.hook == 2)
    #expect(packet.payload.count == 160)
  }

  @Test("OUTPUT has a user, and neither a time nor an Ethernet header")
  func output() throws {
    let packet = try packet("OUTPUT, of user 1000")
    #expect([packet.ingressInterface, packet.egressInterface] == [0, 3])
    #expect(packet.hook == 3)
    #expect(packet.userID == 1000)
    #expect(packet.time == nil)
    #expect(packet.ethernetHeader.isEmpty)
  }

  @Test("several packets of a datagram have numbers that follow each other; the end of the datagram is no packet")
  func several() {
    let octets = RecordedMessage.nflog("FORWARD, four packets").octets
    let packets = Self.packets(octets)
    #expect(packets.map(\.sequence) == [0, 1, 2, 3])
    #expect(packets.map(\.etherType) == [0x0800, 0x86dd, 0x0800, 0x86dd])
    #expect(octets.suffix(20).starts(with: [20, 0, 0, 0, 3, 0]))
  }

  @Test("a bridge's packet has the bridge and both ports, and the VLAN tag that the kernel took off")
  func bridge() throws {
    let tagged = try packet("bridge, VLAN 100 with priority 5")
    #expect(tagged.outerTag == 0xa064)
    #expect(tagged.etherType == 0x0800)
    #expect([tagged.ingressInterface, tagged.egressInterface] == [4, 4])
    #expect([tagged.physicalIngressInterface, tagged.physicalEgressInterface] == [2, 3])
    let octets = RecordedMessage.nflog("bridge, VLAN 100 with priority 5").octets
    #expect(octets[tagged.ethernetHeader] == [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0])
    #expect(try packet("bridge, without a tag").outerTag == 0)
    let routed = try packet("FORWARD of a bridge's packet, with both ports")
    #expect([routed.physicalIngressInterface, routed.physicalEgressInterface] == [2, 3])
  }

  @Test("what leaves this host or a device goes out, all else comes in")
  func direction() throws {
    #expect(try packet("PREROUTING, marked, with a prefix").direction == .ingress)
    #expect(try packet("FORWARD, cut after 160 octets").direction == .ingress)
    #expect(try packet("OUTPUT, of user 1000").direction == .egress)
    #expect(try packet("bridge, without a tag").direction == .ingress)
    func direction(_ family: UInt8, _ hook: UInt8) -> FlowDirection? {
      Self.packets(message(0x0400, [family, 0, 0, 0] + attribute(1, [8, 0, hook, 0]))).first?.direction
    }
    // Families IPv4, IPv6 and bridge; hooks PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING.
    for family in [2, 10, 7] as [UInt8] {
      #expect((0...4).map { direction(family, $0) } == [.ingress, .ingress, .ingress, .egress, .egress])
    }
    // Of a device: ingress and egress.
    #expect((0...1).map { direction(5, $0) } == [.ingress, .egress])
  }

  @Test("what stands before the packet is an Ethernet header only where the device is of Ethernet")
  func hardwareType() {
    var octets = RecordedMessage.nflog("PREROUTING, marked, with a prefix").octets
    // NFULA_HWTYPE: ARPHRD_ETHER made into ARPHRD_TUNNEL (768).
    let place = octets.indices.first { octets[$0...].starts(with: [6, 0, 15, 0, 0, 1]) }!
    octets[place + 4] = 3
    #expect(Self.packets(octets).map(\.ethernetHeader) == [0..<0])
  }

  @Test("an attribute that is shorter than its value is as if it were not there")
  func short() {
    // Packet header, mark, time, both interfaces, user, number, VLAN: an octet too few, each.
    let lengths: [(UInt16, Int)] = [(1, 3), (2, 3), (3, 15), (4, 3), (5, 3), (6, 3), (7, 3), (11, 3), (12, 3), (15, 1)]
    let attributes = lengths.flatMap { attribute($0.0, Array(repeating: 0xff, count: $0.1)) }
    let packets = Self.packets(
      message(0x0400, [2, 0, 0, 0] + attributes + attribute(0x8014, attribute(2, [0xff]))))
    #expect(packets.count == 1)
    for packet in packets {
      #expect(packet.etherType == 0 && packet.hook == 0 && packet.mark == 0 && packet.outerTag == 0)
      #expect(packet.ingressInterface == 0 && packet.egressInterface == 0)
      #expect(packet.physicalIngressInterface == 0 && packet.physicalEgressInterface == 0)
      #expect(packet.time == nil && packet.userID == nil && packet.sequence == nil)
      #expect(packet.payload.isEmpty && packet.ethernetHeader.isEmpty)
    }
  }

  @Test("a time that nobody can have stamped is read all the same")
  func times() {
    func time(_ octets: [UInt8]) -> Timestamp? {
      Self.packets(message(0x0400, [2, 0, 0, 0] + attribute(3, octets))).first?.time
    }
    #expect(time(Array(repeating: 0, count: 16)) == Timestamp(milliseconds: 0))
    #expect(time(Array(repeating: 0xff, count: 16)) != nil)
    #expect(time([0x7f] + Array(repeating: 0xff, count: 15)) != nil)
  }

  @Test(
    "a message cut anywhere, or with any octet another, has a packet, header and connection within its bounds",
    arguments: RecordedMessage.nflog)
  func hostile(_ recorded: RecordedMessage) {
    var outside = 0
    forEachDamage(recorded.octets) { octets in
      for packet in Self.packets(octets) {
        for range in [packet.payload, packet.ethernetHeader, packet.conntrack] where !range.isEmpty {
          if range.lowerBound < 20 || range.upperBound > octets.count { outside += 1 }
        }
      }
    }
    #expect(outside == 0)
  }
}
