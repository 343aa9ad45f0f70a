// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What packets cost whose Flow Keys somebody chose so that they would collide, against packets with random keys.
///
/// A table has its seed from the system's random numbers, as the program's: many tables are asked, one behind the other.
struct KeysBenchmark {
  /// As many as one place of an index could be aimed at: behind its end an index has room for 1024 in each stripe.
  private static let fewKeys = 8192
  private static let packetsOfAKey = 4

  private let operations: Int
  private let ring = BatchRing()

  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("keys: 5-tuples that somebody chose, into new tables, against random ones; four packets of each")
    let benchmark = KeysBenchmark(operations: settings.operations)
    let (few, many) = (Self.fewKeys, settings.flows / 4)
    let aimed = ChosenKeys.aimed(atSeed: 0, few)
    var table = TextTable([
      "CPU ns a packet", "keys", "chosen", "random", "chosen / random", "searched, chosen", "searched, random",
    ])
    func compare(_ keys: ChosenKeys, seed: UInt64? = nil, isIPv6: Bool = false) throws(BenchmarkError) {
      let random = ChosenKeys.random(keys.conversations.count, isIPv6: isIPv6)
      table.append(try benchmark.row(keys, random, rounds: settings.rounds, seed: seed))
    }
    for count in [few, many] {
      try compare(.sequentialAddresses(count))
      try compare(.sequentialAddresses(count, isIPv6: true), isIPv6: true)
      try compare(.sequentialPorts(count))
      try compare(.sameXor(count))
      try compare(.sameSum(count))
      try compare(.sameCRC(count))
    }
    try compare(aimed)
    try compare(aimed, seed: 0)
    table.print()
  }

  /// - Parameter seed: of the tables, where the attacker has it right: shows that the aim is true.
  private func row(_ keys: ChosenKeys, _ random: ChosenKeys, rounds: Int, seed: UInt64?) throws(BenchmarkError) -> Row {
    var (chosenSearch, randomSearch) = (Search(), Search())
    let name = keys.name + (seed.map { "; the table's is \($0)" } ?? "")
    let comparison = try Comparison(
      name, rounds: rounds,
      flowprobe: { pass(keys, seed, &chosenSearch) }, other: { pass(random, seed, &randomSearch) })
    return [
      name, grouped(keys.conversations.count), decimal(median(comparison.flowprobe), 1),
      decimal(median(comparison.other), 1), decimal(comparison.ratio, 2), decimal(chosenSearch.perPacket, 2),
      decimal(randomSearch.perPacket, 2),
    ]
  }

  /// Entries of the index that were another flow's.
  private struct Search {
    var entries: UInt64 = 0
    var packets = 0

    var perPacket: Double { Double(entries) / Double(packets) }
  }

  /// The first packets in the order of the keys, the later ones in none.
  private func pass(_ keys: ChosenKeys, _ seed: UInt64?, _ search: inout Search) -> Measurement {
    let count = keys.conversations.count
    var (watch, random, packets, totals) = (Stopwatch(), SplitMix(seed: 7), 0, FlowTotals())
    repeat {
      let table = TableCounting(limit: nil, hashSeed: seed)
      var next = 0
      while next < count * Self.packetsOfAKey {
        ring.fill(at: TablePass.time(0)) {
          defer { next += 1 }
          return keys.conversations[next < count ? next : random.below(count)]
        }
        watch.start()
        ring.update(table)
        watch.stop()
      }
      packets += next
      let statistics = table.table.statistics
      search.entries += statistics.searched
      totals.add(FlowTotals(flows: UInt64(statistics.active), packets: statistics.created + statistics.found))
    } while packets < operations
    search.packets += packets
    return Measurement(nanoseconds: watch.nanoseconds, operations: packets, result: totals)
  }
}
