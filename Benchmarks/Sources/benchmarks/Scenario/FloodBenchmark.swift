// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// What becomes of flowprobe in a flood of more flows than its table may hold, and of the flows that go on meanwhile.
struct FloodBenchmark {
  /// What was seen of it in one run. Packets, unless something else is said.
  struct Result {
    var offered: FlowTotals
    var exported: FlowTotals
    /// What flowprobe says that it did not export.
    var told: UInt64
    /// How many long-lived conversations were exported in full, and in how many records all of them.
    var completeConversations: Int
    var conversationRecords: UInt64
    /// Records that left the table early, while the flood lasted and after it had recovered.
    var early: UInt64
    var earlyAfterwards: UInt64
    /// The most in memory in the first and in the last quarter of the flood. Bytes.
    var memory: (first: Int, last: Int)
    /// Flows in the table at the end of the rest; nil where nobody can ask.
    var flowsAfterwards: Int?
    var remark: String
  }

  /// How long a flow may be silent, and how long it may last. Seconds.
  static let inactiveTimeout = 5
  static let activeTimeout = 30

  private static let columns = [
    "", "offered", "exported", "told as lost", "missing", "octets", "long flows in full", "records of each",
    "left early", "after recovery", "flows then", "MiB at first", "at last",
  ]

  static func run(_ settings: Settings) throws(BenchmarkError) {
    Interruption.prepare()
    let limit = max(1000, settings.packets / 40)
    say(
      """
      flood: every packet a new flow, and \(Conversation.longLivedCount) long-lived flows among them; --maxflows \
      \(grouped(limit)), inactive timeout \(inactiveTimeout) s
      """)
    var table = TextTable(columns)
    var remarks: [String] = []
    func add(_ name: String, _ result: Result) {
      table.append(row(name, result))
      if !result.remark.isEmpty { remarks.append("\(name): \(result.remark)") }
    }
    for _ in 0..<settings.scenarioRounds { add("from a file", try FloodInFile.run(settings, limit: limit)) }
    if LiveBenchmark.isPossible(["ip", "nft"]) {
      let flood = try FloodOnWire(settings, limit: limit)
      try LiveTrial.onItsProcessor { () throws(BenchmarkError) in
        for _ in 0..<settings.scenarioRounds {
          for variant in FloodOnWire.Variant.all(settings) { add(variant.name, try flood.run(variant)) }
        }
      }
    }
    table.print()
    for remark in remarks { say(remark) }
  }

  private static func row(_ name: String, _ result: Result) -> Row {
    let missing = Int(result.offered.packets) - Int(result.exported.packets) - Int(result.told)
    let octets =
      result.told > 0 || missing != 0 ? "-" : result.exported.octets == result.offered.octets ? "exact" : "wrong"
    return [
      name, grouped(result.offered.packets), grouped(result.exported.packets), grouped(result.told), "\(missing)",
      octets, "\(result.completeConversations) of \(Conversation.longLivedCount)",
      decimal(Double(result.conversationRecords) / Double(Conversation.longLivedCount), 1), grouped(result.early),
      grouped(result.earlyAfterwards), result.flowsAfterwards.map { "\($0)" } ?? "-",
      decimal(Double(result.memory.first) / 1_048_576, 1), decimal(Double(result.memory.last) / 1_048_576, 1),
    ]
  }
}
