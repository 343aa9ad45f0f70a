// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What it costs to take ended flows out, where all have ended and where few have.
enum ExpiryBenchmark {
  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("expiry: takeExpired, against a walk through the Dictionary that removes what has ended")
    let flows = settings.flows / 2
    let ring = BatchRing(.mixed)
    var table = TextTable(Comparison.columns("CPU ns a flow in the table", other: "Dictionary"))
    let cases: [(name: String, ending: ExpiryCase)] = [
      ("\(grouped(flows)) flows, all have ended", .all), ("1 of 20 has ended", .oneOfTwenty),
      ("none has ended since the last look", .none),
    ]
    for (name, ending) in cases {
      var mine = ExpirySubject(TableCounting(limit: nil), ring, flows: flows, ending)
      var theirs = ExpirySubject(DictionaryCounting(limit: nil), ring, flows: flows, ending)
      table.append(
        try Comparison(name, rounds: settings.rounds, flowprobe: { mine.pass() }, other: { theirs.pass() }).row)
    }
    table.print()
  }
}

/// How many flows have ended when somebody looks.
private enum ExpiryCase {
  case all, oneOfTwenty, none
}

/// Flows of which some end, again and again; time goes on from round to round.
private struct ExpirySubject<Counting: FlowCounting> {
  private let subject: Counting
  private let ring: BatchRing
  private let flows: Int
  private let ending: ExpiryCase
  private var firstPacket = 0

  init(_ subject: Counting, _ ring: BatchRing, flows: Int, _ ending: ExpiryCase) {
    (self.subject, self.ring, self.flows, self.ending) = (subject, ring, flows, ending)
  }

  mutating func pass() -> Measurement {
    let first = firstPacket
    firstPacket += TablePass.packetsPerSecond * 400
    // As an exporter does that looks a few times a second: the table hears that time has passed.
    _ = subject.takeExpired(at: TablePass.time(first), everything: false)
    _ = TablePass.run(subject, ring, packets: flows, from: first) { $1 - first }
    if ending != .all { keepAlive(from: first) }

    let end = TablePass.time(first + flows).advanced(byMilliseconds: Timeouts.inactive * 1000 + 1000)
    if ending == .none { _ = subject.takeExpired(at: end, everything: false) }
    var watch = Stopwatch()
    watch.start()
    let taken = subject.takeExpired(at: end, everything: false)
    watch.stop()
    _ = subject.takeExpired(at: end, everything: true)
    return Measurement(nanoseconds: watch.nanoseconds, operations: flows, result: taken)
  }

  /// A packet for all flows but one of twenty, within the inactive timeout of each.
  private func keepAlive(from first: Int) {
    let second = first + TablePass.packetsPerSecond * 50
    _ = TablePass.run(subject, ring, packets: flows, from: second) { _, packet in
      let number = packet - second
      return number % 20 == 0 ? number + 1 : number
    }
  }
}
