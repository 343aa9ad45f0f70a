// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// What a running program can be asked for.
extension Probe {
  /// The table that is metered into. Any thread.
  var table: FlowTable { parts.withLock { $0.table } }

  /// Of all threads that packets and events pass. Any thread.
  var pulses: [ThreadPulse] {
    let parts = parts.withLock { $0 }
    return parts.sources.flatMap { $0.lanes.map(\.pulse) } + [parts.follower?.pulse, pulse].compactMap { $0 }
  }

  /// One more command is one more entry.
  var controlCommands: [ControlCommand] {
    let (sampler, clock) = (sampler, clock)
    return [
      ControlCommand(
        name: "stat", words: "[snmp]",
        summary: "The statistics, as \(StatisticsWriter.proc) has them, or \(StatisticsWriter.snmp)."
      ) { words throws(ControlRefusal) in
        switch words {
        case []: ControlAnswer(ProcStatistics.text(sampler.statistics, sampler.rates))
        case ["snmp"]: ControlAnswer(SNMPStatistics.text(sampler.statistics, sampler.rates))
        default:
          throw ControlRefusal(reason: "cannot answer 'stat \(words[0])': it is unknown; ask for stat or stat snmp")
        }
      },
      ControlCommand(name: "metrics", summary: "All statistics, for Prometheus.") { _ in
        ControlAnswer(PrometheusText.text(sampler.statistics))
      },
      ControlCommand(
        name: "flows", words: "[N]",
        summary: "The active flows, as \(StatisticsWriter.flows) has them, N of them at most."
      ) { words throws(ControlRefusal) in
        let limit = try Self.limit(words)
        let visit = FlowsVisit(FlowsDump(sampler.statistics.program, limit: limit), of: self.table) { clock.now }
        return ControlAnswer(visit.next)
      },
      ControlCommand(
        name: "top", words: TalkersQuery.words,
        summary: "The largest of the active flows, or of what they have in common."
      ) { words throws(ControlRefusal) in
        ControlAnswer(TalkersVisit(try TalkersQuery(words), in: self.table) { clock.now }.next)
      },
    ] + controlChanges
  }

  private static func limit(_ words: [Substring]) throws(ControlRefusal) -> Int {
    guard let word = words.first else { return .max }
    guard words.count == 1, let number = Int(word), number > 0 else {
      throw ControlRefusal(
        reason: "cannot list 'flows \(words.joined(separator: " "))': it is no number of flows; give one above 0")
    }
    return number
  }
}

/// The answer to `flows`: a part of the table at a time.
private final class FlowsVisit {
  private var dump: FlowsDump
  private let table: FlowTable
  private let now: () -> Timestamp
  private var hasBegun = false

  init(_ dump: consuming FlowsDump, of table: FlowTable, now: @escaping () -> Timestamp) {
    self.dump = dump
    (self.table, self.now) = (table, now)
  }

  func next() -> String? {
    guard hasBegun else {
      hasBegun = true
      return dump.heading
    }
    return dump.nextLines(of: table, at: now())
  }
}
