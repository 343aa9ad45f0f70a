// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What a packet and a flow cost by how many flows there are: from a table that a cache holds to ten million.
struct ScaleBenchmark {
  private static let sizes = [1000, 10_000, 100_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000]
  private static let time = TablePass.time(0)

  static func run(_ settings: Settings) {
    say("scale: packets evenly over the flows there are; CPU ns a packet, resident bytes a flow (limits 128 and 176)")
    let sizes = sizes.filter { $0 <= settings.flows * 10 }
    let subjects = sizes.map { Subject(flows: $0) }
    var hits = [[Double]](repeating: [], count: sizes.count)
    for round in 0...settings.rounds {
      for place in sizes.indices {
        let cost = subjects[place].hits(settings.operations)
        if round > 0 { hits[place].append(cost) }
      }
    }
    let memory = sizes.map { (bytesPerFlow($0, .ipv4), bytesPerFlow($0, .ipv6)) }
    var table = TextTable(["flows", "a packet of one", "the first packet", "IPv4, bytes", "IPv6, bytes"])
    for (place, size) in sizes.enumerated() {
      table.append([
        grouped(size), decimal(median(hits[place]), 1), decimal(subjects[place].first, 1),
        // Of a small table the index's first pages are most.
        size < 100_000 ? "-" : decimal(memory[place].0, 1), size < 100_000 ? "-" : decimal(memory[place].1, 1),
      ])
    }
    table.print()
  }

  /// A table with so many flows.
  private final class Subject {
    private let flows: Int
    private let table: TableCounting
    private let ring = BatchRing(.mixed)
    private var random = SplitMix(seed: 7)
    /// What the first packet of a flow cost, on the way to this size. CPU ns.
    private(set) var first = 0.0

    init(flows: Int) {
      self.flows = flows
      table = TableCounting(limit: flows + flows / 4 + 10_000)
      first = ScaleBenchmark.add(flows, to: table, ring)
    }

    func hits(_ packets: Int) -> Double {
      ScaleBenchmark.pass(packets, to: table, ring) { [unowned self] in random.below(flows) }
    }
  }

  private static func bytesPerFlow(_ flows: Int, _ mixture: Conversation.Mixture) -> Double {
    let before = ResidentMemory.bytes
    let table = TableCounting(limit: flows + flows / 4 + 10_000)
    _ = add(flows, to: table, BatchRing(mixture))
    return Double(ResidentMemory.bytes - before) / Double(table.table.statistics.active)
  }

  private static func add(_ flows: Int, to table: TableCounting, _ ring: BatchRing) -> Double {
    var next = 0
    return pass(flows, to: table, ring) {
      defer { next += 1 }
      return next
    }
  }

  private static func pass(_ packets: Int, to table: TableCounting, _ ring: BatchRing, _ pick: () -> Int) -> Double {
    var (watch, count) = (Stopwatch(), 0)
    while count < packets {
      ring.fill(at: time) {
        count += 1
        return pick()
      }
      watch.start()
      ring.update(table)
      watch.stop()
    }
    return Double(watch.nanoseconds) / Double(count)
  }
}
