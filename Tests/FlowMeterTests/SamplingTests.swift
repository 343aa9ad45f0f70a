// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Sampling")
struct SamplingTests {
  /// A UDP datagram of one of 65536 flows.
  private static func udp(_ number: Int) -> [UInt8] {
    var packet = number % 3 == 0 ? Packets.udpIPv6 : Packets.udp
    let port = packet.count - 8
    (packet[port], packet[port + 1]) = (UInt8(number >> 8 & 0xff), UInt8(number & 0xff))
    return packet
  }

  private static func table(
    _ sampling: Sampling?, maxFlows: Int = 100_000, seed: UInt64 = 7
  ) throws -> TableUnderTest {
    var configuration = FlowTable.Configuration()
    configuration.sampling = sampling
    configuration.maxFlows = maxFlows
    configuration.hashSeed = seed
    return try TableUnderTest(configuration)
  }

  /// Begins flows in batches of 100, and gives the table.
  private static func filled(
    _ sampling: Sampling, flows: Int = 20_000, maxFlows: Int = 100_000, seed: UInt64 = 7
  ) throws -> TableUnderTest {
    let subject = try table(sampling, maxFlows: maxFlows, seed: seed)
    var batch = PacketBatch()
    for first in stride(from: 0, to: flows, by: 100) {
      batch.reset(at: nil)
      for number in first..<first + 100 { batch.append(udp(number), at: 1000) }
      subject.table.update(batch)
    }
    return subject
  }

  /// Numbers of the flows, by their ports.
  private static func numbers(_ records: [FlowRecord]) -> [Int] { records.map { Int($0.key.sourcePort) }.sorted() }

  @Test(
    "the first letter says how flows are chosen, the number one of how many",
    arguments: [
      ("deterministic:2", Sampling(.deterministicFlows, interval: 2)),
      ("d:16383", Sampling(.deterministicFlows, interval: 16_383)),
      ("Det:100", Sampling(.deterministicFlows, interval: 100)),
      ("random:10", Sampling(.randomFlows, interval: 10)), ("r:2", Sampling(.randomFlows, interval: 2)),
      ("hash:1000", Sampling(.hashedFlows, interval: 1000)), ("H:2", Sampling(.hashedFlows, interval: 2)),
      ("", nil), ("0", nil),
    ] as [(String, Sampling?)])
  func parsing(text: String, expected: Sampling?) throws { #expect(try Sampling.flows(text) == expected) }

  @Test(
    "what is no way to sample flows is refused with a sentence",
    arguments: [
      "deterministic", "deterministic:", "deterministic:1", "random:16384", "hash:-2", "x:10", ":10", "10",
      "random:10:20", "random: 10", "1",
    ])
  func refusals(text: String) {
    #expect(
      throws: SelectionError(
        description: "cannot sample flows by '\(text)'; write deterministic:N, random:N or hash:N,"
          + " with N from 2 to 16383, or 0 for none.")
    ) { try Sampling.flows(text) }
  }

  @Test("deterministic: of flows that begin one by one every N-th is exported, the rest is counted")
  func deterministic() throws {
    var subject = try Self.table(Sampling(.deterministicFlows, interval: 10))
    for number in 1...105 {
      subject.add(Self.udp(number), at: 1000)
      subject.add(Self.udp(number), at: 1001)
    }
    let records = subject.take(at: 1001, everything: true)
    #expect(Self.numbers(records) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    #expect(records.allSatisfy { $0.packets == 2 })
    let statistics = subject.table.statistics
    #expect(statistics.created == 105)
    // Of the ten 30, 60 and 90 are of IPv6, with 48 octets a packet; so are 35 of the 105.
    #expect(statistics.selected == FlowTotals(flows: 10, packets: 20, octets: 2 * (3 * 48 + 7 * 28)))
    #expect(statistics.leftOut == FlowTotals(flows: 95, packets: 190, octets: 2 * (32 * 48 + 63 * 28)))
    #expect(statistics.active == 0)
  }

  @Test("deterministic: exactly one of N is exported, in whichever stripes and batches the flows begin")
  func deterministicInBatches() throws {
    for interval in [2, 3, 7, 100, 16_383] {
      let subject = try Self.filled(Sampling(.deterministicFlows, interval: interval))
      #expect(subject.take(at: 1001, everything: true, bufferCapacity: 64).count == 20_000 / interval)
    }
  }

  @Test("a flow that goes on after the active timeout is a new one for the sampling")
  func activeTimeout() throws {
    var subject = try Self.table(Sampling(.deterministicFlows, interval: 2))
    for second in 0..<240 { subject.add(Packets.udp, at: Int64(second) * 1000) }
    let records = subject.take(at: 240_000, everything: true)
    // Four records of a minute, of which the second and the fourth.
    #expect(records.map(\.start.milliseconds) == [60_000, 180_000])
    #expect(subject.table.statistics.leftOut == FlowTotals(flows: 2, packets: 120, octets: 120 * 28))
  }

  @Test("random: about one in N, each by itself; the same again with the same seed")
  func random() throws {
    func numbers(_ seed: UInt64) throws -> [Int] {
      let subject = try Self.filled(Sampling(.randomFlows, interval: 10), seed: seed)
      return Self.numbers(subject.take(at: 1001, everything: true, bufferCapacity: 64))
    }
    let seven = try numbers(7)
    #expect(try numbers(7) == seven)
    #expect(try numbers(8) != seven)
    // 2000 are expected, with a standard deviation of 42.
    #expect(seven.count == 2033)
    // By chance 200 pairs of neighbours are both taken; a rule takes none or most.
    #expect(zip(seven, seven.dropFirst()).count { $0 + 1 == $1 } == 213)
  }

  @Test("flows that are left out are no losses, also where the table is full or nobody takes them")
  func fullTable() throws {
    let subject = try Self.filled(Sampling(.deterministicFlows, interval: 4), maxFlows: 100)
    let records = subject.take(at: 1001, everything: true)
    let statistics = subject.table.statistics
    #expect(statistics.created == 20_000)
    #expect(UInt64(records.count) == statistics.selected.flows)
    #expect(statistics.selected.flows + statistics.lost.flows == 5000)
    #expect(statistics.leftOut.flows == 15_000)
    #expect(statistics.lost.flows > 0)
  }

  private func meter(_ packets: [[UInt8]], _ sampling: Sampling, seed: UInt64 = 7) throws -> (
    FlowTotals, MeteringStatistics
  ) {
    let table = try FlowTable()
    let rounds = stride(from: 0, to: packets.count, by: 100).map { Array(packets[$0..<min($0 + 100, packets.count)]) }
    let process = MeteringProcess(
      source: PacketList(rounds), table: table, selection: PacketSelection(sampling: sampling, seed: seed))
    while case .more = try process.meter(timeout: .zero).outcome {}
    process.finish()
    return (MeteringTests.totals(of: table), process.counters.statistics)
  }

  @Test("hash: of a flow all packets are metered or none, and of the flows about one in N")
  func hash() throws {
    // Three packets of each of 10000 flows.
    let packets = (0..<30_000).map { Self.udp($0 % 10_000) }
    let sampling = Sampling(.hashedFlows, interval: 10)
    let (totals, statistics) = try meter(packets, sampling)
    #expect(totals.packets == 3 * totals.flows)
    // 1000 are expected, with a standard deviation of 30.
    #expect(totals.flows == 989)
    #expect(statistics.observedPackets == 30_000)
    #expect(statistics.meteredPackets == totals.packets)
    #expect(statistics.meteredOctets == totals.octets)
    #expect(statistics.unselectedPackets == 30_000 - totals.packets)
    #expect(try meter(packets, sampling, seed: 8).0.flows != totals.flows)
  }

  @Test("packets: the first of each N is metered, the others are counted and not looked at")
  func packets() {
    var batch = PacketBatch(packetInterval: 3)
    for number in 0..<10 { batch.append(number % 3 == 1 ? [0xff] : Self.udp(number), at: Int64(number)) }
    #expect((0..<batch.count).map { batch[$0].key.sourcePort } == [0, 3, 6, 9])
    #expect(batch.statistics.observedPackets == 10)
    #expect(batch.statistics.meteredPackets == 4)
    #expect(batch.statistics.unselectedPackets == 6)
    #expect(batch.statistics.unmeteredPackets == 0)
    // The count goes on from batch to batch.
    batch.reset(at: nil)
    for number in 10..<15 { batch.append(Self.udp(number), at: Int64(number)) }
    #expect((0..<batch.count).map { batch[$0].key.sourcePort } == [12])
    // Time is that of all packets.
    #expect(batch.latest == Timestamp(milliseconds: 14))
  }

  @Test("packets: each source counts for itself, and of M packets one in N is metered, rounded up")
  func packetsOfSources() throws {
    let sampling = Sampling(.packets, interval: 100)
    for count in [1, 100, 101, 1000] {
      let (totals, statistics) = try meter((0..<count).map { Self.udp($0) }, sampling)
      #expect(totals.packets == UInt64((count + 99) / 100))
      #expect(statistics.observedPackets == UInt64(count))
      #expect(statistics.unselectedPackets == UInt64(count) - totals.packets)
      let (offered, selected) = sampling.totals(statistics, FlowTableStatistics())
      #expect((offered.packets, selected.packets) == (UInt64(count), totals.packets))
    }
  }

  @Test("hash: what is left of a batch keeps its order and its details")
  func compaction() {
    var batch = PacketBatch()
    for number in 0..<100 {
      batch.append(Self.udp(number), at: Int64(number), detail: number % 2 == 0 ? .numbered(UInt32(number)) : nil)
    }
    batch.keep(KeySelector(interval: 2, seed: 7))
    #expect(batch.count > 30 && batch.count < 70)
    var last = -1
    for i in 0..<batch.count {
      let number = Int(batch[i].time.milliseconds)
      #expect(number > last)
      #expect(batch.detail(of: i) == (number % 2 == 0 ? .numbered(UInt32(number)) : nil))
      last = number
    }
    #expect(batch.statistics.meteredPackets == UInt64(batch.count))
    #expect(batch.statistics.unselectedPackets == UInt64(100 - batch.count))
  }
}
