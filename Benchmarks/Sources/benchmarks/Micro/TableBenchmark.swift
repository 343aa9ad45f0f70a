// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What a packet costs in the table: of a flow that is there, of a new one, of a new one where there is no room.
struct TableBenchmark {
  private let settings: Settings
  private let ring = BatchRing(.mixed)

  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("table: decoded batches into FlowTable, against a Dictionary by FlowKey that counts the same")
    let benchmark = TableBenchmark(settings)
    var table = TextTable(Comparison.columns("CPU ns a packet", other: "Dictionary"))
    let (some, many) = (settings.flows / 5, settings.flows)
    let popularity = ZipfDistribution(count: some)
    table.append(
      try benchmark.hit("hit, \(grouped(some)) flows, Zipf", flows: some) { random, _ in popularity.pick(&random) })
    table.append(
      try benchmark.hit("hit, \(grouped(many)) flows, evenly", flows: many) { random, _ in random.below(many) })
    table.append(try benchmark.missInNewMemory(flows: many))
    table.append(try benchmark.missInUsedMemory(flows: many))
    table.append(try benchmark.full(limit: many / 4))
    table.print()
  }

  private init(_ settings: Settings) { self.settings = settings }

  private func hit(_ name: String, flows: Int, _ pick: (inout SplitMix, Int) -> Int) throws(BenchmarkError) -> Row {
    let (mine, theirs) = (TableCounting(limit: nil), DictionaryCounting(limit: nil))
    TablePass.add(flows: flows, to: mine, ring)
    TablePass.add(flows: flows, to: theirs, ring)
    // Stamped after the flows' first packets, as nearly all packets are.
    let row = try compare(
      name,
      flowprobe: { TablePass.run(mine, ring, packets: settings.operations, from: flows, pick) },
      other: { TablePass.run(theirs, ring, packets: settings.operations, from: flows, pick) })
    let totals = mine.takeExpired(at: TablePass.time(0), everything: true)
    precondition(
      totals == theirs.takeExpired(at: TablePass.time(0), everything: true), "\(name): the two count differently")
    return row
  }

  private func missInNewMemory(flows: Int) throws(BenchmarkError) -> Row {
    try compare(
      "miss, growing from empty to \(grouped(flows))",
      flowprobe: { TablePass.run(TableCounting(limit: nil), ring, packets: flows) { $1 } },
      other: { TablePass.run(DictionaryCounting(limit: nil), ring, packets: flows) { $1 } })
  }

  private func missInUsedMemory(flows: Int) throws(BenchmarkError) -> Row {
    let (mine, theirs) = (TableCounting(limit: nil), DictionaryCounting(limit: nil))
    // Time goes on from round to round.
    var (nextMine, nextTheirs) = (0, 0)
    func pass(_ subject: some FlowCounting, _ next: inout Int) -> Measurement {
      var measurement = TablePass.run(subject, ring, packets: flows, from: next) { $1 }
      next += measurement.operations
      measurement.result = subject.takeExpired(at: TablePass.time(next), everything: true)
      return measurement
    }
    return try compare(
      "miss, \(grouped(flows)) into memory used before",
      flowprobe: { pass(mine, &nextMine) }, other: { pass(theirs, &nextTheirs) })
  }

  /// At the limit: for each new flow an old one leaves, with its record.
  private func full(limit: Int) throws(BenchmarkError) -> Row {
    let (mine, theirs) = (TableCounting(limit: limit), DictionaryCounting(limit: limit))
    TablePass.add(flows: 2 * limit, to: mine, ring)
    TablePass.add(flows: 2 * limit, to: theirs, ring)
    var (nextMine, nextTheirs) = (3 * limit, 3 * limit)
    func pass(_ subject: some FlowCounting, _ next: inout Int) -> Measurement {
      let measurement = TablePass.run(subject, ring, packets: settings.operations, from: next) { $1 }
      next += measurement.operations
      return measurement
    }
    let row = try compare(
      "full at \(grouped(limit)): an old flow leaves for each",
      flowprobe: { pass(mine, &nextMine) }, other: { pass(theirs, &nextTheirs) })
    let statistics = mine.table.statistics
    precondition(statistics.lost.flows == 0 && statistics.evicted >= UInt64(settings.operations))
    return row
  }

  private func compare(_ name: String, flowprobe: () -> Measurement, other: () -> Measurement) throws(BenchmarkError)
    -> Row
  {
    try Comparison(name, rounds: settings.rounds, flowprobe: flowprobe, other: other).row
  }
}
