// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Aggregation")
struct AggregationTests {
  /// 192.0.2.1:5353 to 198.51.100.2:53, or other ends.
  private static func udp(
    _ source: String = "192.0.2.1", _ destination: String = "198.51.100.2", ports: (UInt16, UInt16) = (5353, 53)
  ) -> [UInt8] {
    var packet = Packets.udp
    packet.replaceSubrange(12..<16, with: source.split(separator: ".").map { UInt8($0)! })
    packet.replaceSubrange(16..<20, with: destination.split(separator: ".").map { UInt8($0)! })
    (packet[20], packet[21]) = (UInt8(ports.0 >> 8), UInt8(ports.0 & 0xff))
    (packet[22], packet[23]) = (UInt8(ports.1 >> 8), UInt8(ports.1 & 0xff))
    return packet
  }

  /// What the rules make of a packet, and how often each of them was used.
  private func apply(_ text: String, _ packet: [UInt8]) throws -> (PacketObservation, usage: [UInt64]) {
    let rules = try #require(try AggregationRules.parse(text))
    var usage = [UInt64](repeating: 0, count: rules.rules.count)
    var observation = decode(packet).observation
    rules.apply(to: &observation, &usage)
    return (observation, usage)
  }

  @Test("rules are read apart by commas, semicolons and white space, and shown as they are read")
  func parsing() throws {
    let rules = try AggregationRules.parse("10.0.0.0/8=24, 0.0.0.0/0=32;1024-65535=0\n\t80=8080 192.0.2.77/32=0")
    #expect(
      rules?.rules == [
        .network(IPAddress.parse("10.0.0.0")!.address, length: 8, result: 24),
        .network(IPAddress(), length: 0, result: 32),
        .ports(1024...65_535, port: 0), .ports(80...80, port: 8080),
        .network(IPAddress.parse("192.0.2.77")!.address, length: 32, result: 0),
      ])
    #expect(
      rules?.rules.map(\.description) == [
        "10.0.0.0/8=24", "0.0.0.0/0=32", "1024-65535=0", "80=8080", "192.0.2.77/32=0",
      ])
    #expect(try AggregationRules.parse("") == nil)
    #expect(try AggregationRules.parse(" ,; ") == nil)
  }

  @Test(
    "what is no rule is refused with a sentence that names it",
    arguments: [
      "10.0.0.0/8", "10.0.0.0/33=8", "10.0.0.0/8=33", "10.0.0/8=8", "10.0.0.0=8", "2001:db8::/32=48", "80-70=1",
      "80=65536",
      "65536=0", "1-2-3=4", "=80", "80=", "-80=1", "80==1", "http=80", "10.0.0.0/8=-1", "10.0.0.0/8/8=8",
    ])
  func refusals(rule: String) {
    #expect(
      throws: SelectionError(
        description: "'\(rule)' is no aggregation rule; write address/length=length, as in 10.0.0.0/8=24,"
          + " or ports=port, as in 1024-65535=0.")
    ) { try AggregationRules.parse("10.0.0.0/8=24," + rule) }
  }

  @Test("an address of a network is cut to the resulting length, which is told, whatever the rule's host bits are")
  func networks() throws {
    let (observation, usage) = try apply("192.0.2.99/24=25", Self.udp("192.0.2.200"))
    #expect(observation.key.source.text(.v4) == "192.0.2.128")
    #expect(observation.sourcePrefixLength == 25)
    #expect(observation.key.destination.text(.v4) == "198.51.100.2")
    #expect(observation.destinationPrefixLength == 0)
    #expect(usage == [1])
    let both = try apply("0.0.0.0/0=16", Self.udp())
    #expect(both.0.key.source.text(.v4) == "192.0.0.0" && both.0.key.destination.text(.v4) == "198.51.0.0")
    #expect((both.0.sourcePrefixLength, both.0.destinationPrefixLength) == (16, 16))
    #expect(both.usage == [2])
    // Shorter than what it was matched by, and nothing at all.
    #expect(try apply("192.0.2.0/24=8", Self.udp()).0.key.source.text(.v4) == "192.0.0.0")
    #expect(try apply("192.0.2.0/24=0", Self.udp()).0.key.source.text(.v4) == "0.0.0.0")
    #expect(try apply("192.0.2.1/32=32", Self.udp()).0.key.source.text(.v4) == "192.0.2.1")
  }

  @Test("the first rule that matches holds, for each address and each port by itself")
  func order() throws {
    let (observation, usage) = try apply(
      "192.0.2.0/25=26,192.0.0.0/16=16,198.0.0.0/8=8,53=1,1-1023=2,1024-65535=3",
      Self.udp("192.0.2.127", "198.51.100.2", ports: (53, 5353)))
    #expect(observation.key.source.text(.v4) == "192.0.2.64")
    #expect(observation.key.destination.text(.v4) == "198.0.0.0")
    #expect((observation.sourcePrefixLength, observation.destinationPrefixLength) == (26, 8))
    #expect((observation.key.sourcePort, observation.key.destinationPort) == (1, 3))
    #expect(usage == [1, 0, 1, 1, 0, 1])
    let second = try apply("192.0.2.0/25=26,192.0.0.0/16=16", Self.udp("192.0.2.128"))
    #expect(second.0.key.source.text(.v4) == "192.0.0.0" && second.usage == [0, 1])
  }

  @Test("addresses of IPv6 and what stands for ports of ICMP stay, ports of IPv6 are replaced")
  func others() throws {
    let (ipv6, usage) = try apply("0.0.0.0/0=0,0-65535=7", Packets.udpIPv6)
    #expect(ipv6.key.source.text(.v6) == "2001:db8::1")
    #expect((ipv6.sourcePrefixLength, ipv6.destinationPrefixLength) == (0, 0))
    #expect((ipv6.key.sourcePort, ipv6.key.destinationPort) == (7, 7))
    #expect(usage == [0, 2])
    let icmp = try apply("0-65535=7", Packets.ipv4(protocol: 1, [8, 0, 0, 0, 0, 0, 0, 0]))
    #expect((icmp.0.key.sourcePort, icmp.0.key.destinationPort) == (0, 0x0800))
    #expect(icmp.usage == [0])
  }

  @Test("packets of many hosts are one flow, whose record has the network and its length")
  func flows() throws {
    let table = try FlowTable()
    let selection = PacketSelection(
      aggregation: try AggregationRules.parse("192.0.2.0/24=24,1024-65535=0,10.0.0.0/8=8"))
    let packets = (1...100).map { Self.udp("192.0.2.\($0)", ports: (UInt16(20_000 + $0), 53)) }
    for part in [packets[..<50], packets[50...]] {
      let process = MeteringProcess(source: PacketList([Array(part)]), table: table, selection: selection)
      while case .more = try process.meter(timeout: .zero).outcome {}
      process.finish()
    }
    var buffer = FlowRecordBuffer()
    var sweep = FlowTableSweep()
    #expect(!table.takeExpired(at: Timestamp(milliseconds: 0), everything: true, sweep: &sweep, into: &buffer))
    try #require(buffer.count == 1)
    #expect(buffer[0].packets == 100)
    #expect(buffer[0].key.source.text(.v4) == "192.0.2.0")
    #expect((buffer[0].sourcePrefixLength, buffer[0].destinationPrefixLength) == (24, 0))
    #expect((buffer[0].key.sourcePort, buffer[0].key.destinationPort) == (0, 53))
    #expect(selection.aggregationUsage.current == [100, 100, 0])
  }

  @Test("flows are chosen by hash as they are after aggregation")
  func beforeHash() throws {
    let table = try FlowTable()
    let selection = PacketSelection(
      sampling: Sampling(.hashedFlows, interval: 2), aggregation: try AggregationRules.parse("0-65535=0"), seed: 1)
    let packets = (1...100).map { Self.udp(ports: (UInt16($0), 53)) }
    let process = MeteringProcess(source: PacketList([packets]), table: table, selection: selection)
    while case .more = try process.meter(timeout: .zero).outcome {}
    // One flow: all of it or nothing.
    #expect([0, 100].contains(process.counters.statistics.meteredPackets))
  }

  @Test("a slot keeps what it says of a flow's first packet apart: direction, detail, end and prefix lengths")
  func slot() {
    for direction in [nil, FlowDirection.ingress, .egress] {
      for hasDetail in [false, true] {
        var observation = PacketObservation()
        observation.direction = direction
        observation.hasDetail = hasDetail
        (observation.sourcePrefixLength, observation.destinationPrefixLength) = (32, 1)
        var slot = FlowSlot(observation)
        #expect((slot.direction, slot.hasDetail, slot.isLeftOut, slot.endReason) == (direction, hasDetail, false, 0))
        slot.leaveOut()
        for reason in [UInt8(1), 5, 2, 4] {
          slot.endReason = reason
          #expect(
            (slot.direction, slot.hasDetail, slot.isLeftOut, slot.endReason) == (direction, hasDetail, true, reason))
        }
        #expect((slot.sourcePrefixLength, slot.destinationPrefixLength) == (32, 1))
      }
    }
  }
}
