// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Fragments")
struct FragmentTests {
  /// A datagram of UDP 1000 > 2000 in three fragments of 40, 40 and 30 octets.
  static func fragments(identification: UInt16 = 7, source: UInt8 = 1) -> [[UInt8]] {
    let payload = Packets.octets("03e8 07d0 0032 0000") + [UInt8](repeating: 0xff, count: 42)
    return [(0, 0x2000), (20, 0x2003), (40, 0x0006)].map { start, field in
      Packets.ipv4(
        protocol: 17, identification: identification, fragment: UInt16(field), source: source,
        Array(payload[start..<min(start + 20, payload.count)]))
    }
  }

  static func ports(_ batch: borrowing PacketBatch) -> [UInt16] {
    (0..<batch.count).map { batch[$0].key.destinationPort }
  }

  @Test("later fragments are counted to the flow of their first one")
  func inOrder() {
    var batch = PacketBatch()
    for fragment in Self.fragments() { batch.append(fragment, at: 0) }
    #expect(Self.ports(batch) == [2000, 2000, 2000])
    #expect((0..<3).reduce(0) { $0 + batch[$1].octets } == 110)
    #expect(batch.statistics.completedFragments == 2)
    #expect(batch.statistics.meteredPackets == 3)
  }

  @Test("fragments that come before their first one wait for it")
  func outOfOrder() {
    var batch = PacketBatch()
    let fragments = Self.fragments()
    batch.append(fragments[2], at: 0)
    batch.append(fragments[1], at: 1)
    #expect(batch.count == 0 && batch.waitingFragments == 2)
    batch.append(fragments[0], at: 2)
    #expect(Self.ports(batch) == [2000, 2000, 2000])
    #expect(batch.waitingFragments == 0)
    #expect((0..<3).map { batch[$0].time.milliseconds } == [2, 0, 1])
  }

  @Test("a fragment whose first one never comes is metered with ports 0 after five seconds")
  func orphan() {
    var batch = PacketBatch()
    batch.append(Self.fragments()[1], at: 0)
    batch.reset(at: Timestamp(milliseconds: 4999))
    #expect(batch.count == 0)
    batch.reset(at: Timestamp(milliseconds: 5000))
    #expect(Self.ports(batch) == [0])
    #expect(batch.statistics.orphanedFragments == 1)
  }

  @Test("when metering stops, fragments that wait are metered")
  func stop() {
    var batch = PacketBatch()
    batch.append(Self.fragments()[2], at: 0)
    batch.reset(at: nil)
    #expect(batch.count == 1 && batch.waitingFragments == 0)
  }

  @Test("datagrams with one Identification are told apart by their addresses")
  func twoSources() {
    var batch = PacketBatch()
    batch.append(Self.fragments(source: 1)[0], at: 0)
    batch.append(Self.fragments(source: 2)[1], at: 0)
    #expect(batch.count == 1 && batch.waitingFragments == 1)
  }

  @Test("a first fragment is forgotten after thirty seconds")
  func lifetime() {
    var batch = PacketBatch()
    let fragments = Self.fragments()
    batch.append(fragments[0], at: 0)
    batch.append(fragments[1], at: 30_000)
    #expect(batch.count == 2)
    batch.append(fragments[2], at: 30_001)
    #expect(batch.count == 2 && batch.waitingFragments == 1)
  }

  @Test("memory for waiting fragments is bounded: the oldest gives way, none is lost")
  func bound() {
    var batch = PacketBatch()
    var metered: UInt64 = 0
    for number in 0..<2000 {
      if batch.isFull { batch.reset(at: Timestamp(milliseconds: 0)) }
      batch.append(Self.fragments(identification: UInt16(number))[1], at: 0)
    }
    #expect(batch.waitingFragments == 512)
    batch.reset(at: nil)
    metered = batch.statistics.meteredPackets
    #expect(metered == 2000)
    #expect(batch.statistics.orphanedFragments == 2000)
  }

  @Test("a first fragment may release more that waited than a batch holds")
  func burst() throws {
    var batch = PacketBatch()
    let fragments = Self.fragments()
    for number in 0..<500 {
      if number % 100 == 0 { batch.reset(at: Timestamp(milliseconds: 0)) }
      batch.append(fragments[1], at: Int64(number))
    }
    batch.reset(at: Timestamp(milliseconds: 0))
    for _ in 0..<50 { batch.append(Packets.tcp, at: 500) }
    batch.append(fragments[0], at: 500)
    for _ in 0..<50 { batch.append(Packets.tcp, at: 500) }
    #expect(batch.count == 601)
    #expect(batch.waitingFragments == 0)
    let table = try FlowTable()
    table.update(batch)
    #expect(MeteringTests.totals(of: table).packets == 601)
  }

  @Test("a capture is read to its end though more fragments than a batch holds wait too long at once")
  func overdueBurst() throws {
    let later = (0..<400).map { Self.fragments(identification: UInt16($0))[1] }
    let source = PacketList(
      [Array(later[..<100]), Array(later[100..<200]), Array(later[200..<300]), Array(later[300...])]
        + [[Packets.tcp]] + [[Packets.udp]], secondsBetween: 2)
    let table = try FlowTable()
    let process = MeteringProcess(source: source, table: table)
    while case .more = try process.meter(timeout: .zero).outcome {}
    process.finish()
    #expect(process.counters.statistics.meteredPackets == 402)
    #expect(MeteringTests.totals(of: table).packets == 402)
  }

  @Test("--fragments zero gives later fragments ports 0 at once")
  func zero() {
    var batch = PacketBatch(fragments: .zero)
    for fragment in Self.fragments().reversed() { batch.append(fragment, at: 0) }
    #expect(Self.ports(batch) == [0, 0, 2000])
  }

  @Test("IPv6 fragments are tied by the 32-bit Identification")
  func ipv6() {
    var batch = PacketBatch()
    let first = Packets.ipv6(
      nextHeader: 44, Packets.octets("11 00 0001 12345678  03e8 07d0 0018 0000 0000000000000000"))
    let later = Packets.ipv6(nextHeader: 44, Packets.octets("11 00 0010 12345678  0000000000000000"))
    let other = Packets.ipv6(nextHeader: 44, Packets.octets("11 00 0010 12345679  0000000000000000"))
    batch.append(later, at: 0)
    batch.append(first, at: 0)
    batch.append(other, at: 0)
    #expect(Self.ports(batch) == [2000, 2000])
    #expect(batch.waitingFragments == 1)
  }

  @Test("an atomic fragment is a whole datagram")
  func atomic() {
    let packet = Packets.ipv6(nextHeader: 44, Packets.octets("11 00 0000 00000001  03e8 07d0 0008 0000"))
    let seen = decode(packet).observation
    #expect(seen.fragment == .none)
    #expect(seen.key.destinationPort == 2000)
  }
}
