// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The flood on an interface: the long-lived flows alone, then the flood with them, then they alone again.
final class FloodOnWire {
  /// How it comes, and how flowprobe is told to bear it.
  struct Variant {
    var name: String
    var copies: Int
    var arguments: [String]

    static func all(_ settings: Settings) -> [Variant] {
      [
        Variant(name: "live", copies: 1, arguments: []),
        Variant(name: "live, --export-rate 0", copies: 1, arguments: ["--export-rate", "0"]),
        Variant(
          name: "live, each packet \(settings.copies) times, --export-rate 0", copies: settings.copies,
          arguments: ["--export-rate", "0"]),
      ]
    }
  }

  private struct Stage {
    var attack: LiveTrial
    var calm: LiveTrial
  }

  /// Packets a second of the long-lived flows while nothing else goes on.
  private static let calmRate = 1000.0
  private static let calmSeconds = 2.0

  private let settings: Settings
  private let limit: Int
  private let single: Stage
  private let copied: Stage

  init(_ settings: Settings, limit: Int) throws(BenchmarkError) {
    (self.settings, self.limit) = (settings, limit)
    single = try Self.stage(copies: 1, settings)
    copied = try Self.stage(copies: settings.copies, settings)
  }

  private static func stage(copies: Int, _ settings: Settings) throws(BenchmarkError) -> Stage {
    let network = try CaptureNetwork(copies: copies)
    return Stage(
      attack: try LiveTrial(network, .attack(packets: settings.livePackets)),
      calm: try LiveTrial(network, .longLived()))
  }

  func run(_ variant: Variant) throws(BenchmarkError) -> FloodBenchmark.Result {
    let stage = variant.copies > 1 ? copied : single
    let run = try stage.attack.start(try peer(variant), watching: Conversation.longLivedNetwork)
    var memory = MemoryCourse()
    let before = try calm(stage, run, seconds: Self.calmSeconds)
    let flood = try stage.attack.send(to: run, rate: 0, seconds: settings.seconds * 4) {
      memory.note(run.process.residentBytes)
    }.offered
    // What the flood left behind is silent for the inactive timeout, and then all of it should be gone.
    let recovery = try calm(stage, run, seconds: Double(FloodBenchmark.inactiveTimeout) + 2)
    let recovered = FlowprobeStatistics(run)
    let after = try calm(stage, run, seconds: Self.calmSeconds + 1)
    let rested = FlowprobeStatistics(run)
    try stage.attack.settle(run)
    try run.stop()
    let result = try run.result()

    var offered = FlowTotals()
    for sent in [before, flood, recovery, after] {
      offered.packets += sent.packets
      offered.octets += sent.octets
    }
    return FloodBenchmark.Result(
      offered: offered, exported: stage.attack.network.socket.counter.totals,
      told: FlowprobeStatistics(run).lostPackets,
      completeConversations: complete(stage, [before, recovery, after].map(\.packets), flood.packets),
      conversationRecords: stage.attack.network.socket.counter.watch!.totals.reduce(0) { $0 + $1.flows },
      early: rested.number("evicted_flows_total"),
      earlyAfterwards: rested.number("evicted_flows_total") - recovered.number("evicted_flows_total"),
      memory: memory.quarters, flowsAfterwards: Int(rested.number("active_flows")), remark: result.remark)
  }

  private func peer(_ variant: Variant) throws(BenchmarkError) -> Peer {
    let limit = limit
    return Peer(name: Peer.flowprobe, path: try Peer.flowprobePath()) { run in
      [
        "-i", run.input, "--dest", run.collector, "--maxflows", "\(limit)", "--active-timeout",
        "\(FloodBenchmark.activeTimeout)", "--inactive-timeout", "\(FloodBenchmark.inactiveTimeout)", "--stat-dir",
        "\(run.folder)/stat", "--control", "\(run.folder)/control",
      ] + variant.arguments
    }
  }

  /// The long-lived flows alone for so long.
  private func calm(_ stage: Stage, _ run: PeerRun, seconds: Double) throws(BenchmarkError) -> FlowTotals {
    try stage.calm.send(to: run, rate: Self.calmRate * Double(stage.calm.network.copies), seconds: seconds).offered
  }

  /// How many long-lived flows arrived with all their packets: those of each calm, and those in the flood.
  private func complete(_ stage: Stage, _ calms: [UInt64], _ flood: UInt64) -> Int {
    let network = stage.attack.network
    let (count, copies) = (UInt64(Conversation.longLivedCount), UInt64(network.copies))
    return (0..<Conversation.longLivedCount).count { number in
      var packets = FrameList.longLivedPackets(among: flood / copies, number)
      for calm in calms { packets += calm / copies / count + (UInt64(number) < calm / copies % count ? 1 : 0) }
      return network.socket.counter.watch!.totals[number].packets == packets * copies
    }
  }
}
