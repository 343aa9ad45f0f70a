// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// The whole program on live packets, beside others that do the same.
struct LiveBenchmark {
  /// How packets come.
  private struct Load {
    var title: String
    var trial: LiveTrial
    var rate: Double
  }

  private let settings: Settings
  private let peers: [Peer]
  /// The name of the row that the others are held against.
  private let yardstick: String

  /// Capture on an interface.
  static func capture(_ settings: Settings) throws(BenchmarkError) {
    Interruption.prepare()
    say("live: packets out of one end of a virtual cable, IPFIX from the other (fprobe: NetFlow v5; nfpcapd: files)")
    guard isPossible(["ip", "nft"]) else { return }
    let benchmark = LiveBenchmark(settings: settings, peers: try Peer.capturing(), yardstick: Peer.yardstick)
    let single = try LiveTrial(CaptureNetwork(copies: 1), .mix(packets: settings.livePackets))
    let copies = settings.copies
    let copied = try LiveTrial(CaptureNetwork(copies: copies), .mix(packets: settings.livePackets))
    try benchmark.run(
      settings.rates.map { Load(title: title($0), trial: single, rate: $0) }
        + [Load(title: "as fast as it goes, each packet \(copies) times", trial: copied, rate: 0)])
  }

  /// NFLOG of what a router forwards.
  static func nflog(_ settings: Settings) throws(BenchmarkError) {
    Interruption.prepare()
    say("nflog: packets through a router whose rule logs them (96 octets, 100 a message), IPFIX from there")
    guard isPossible(["ip", "iptables"]) else { return }
    let benchmark = LiveBenchmark(
      settings: settings, peers: try Peer.readingNFLOG(), yardstick: Peer.yardstickNFLOG)
    let trial = try LiveTrial(RouterNetwork(), .mix(packets: settings.livePackets))
    try benchmark.run(settings.nflogRates.map { Load(title: title($0), trial: trial, rate: $0) })
  }

  /// Whether what is done live can be done here; says why not.
  static func isPossible(_ programs: [String]) -> Bool {
    guard geteuid() == 0 else {
      say("skipped: only root can make networks and send packets; run it as root\n")
      return false
    }
    for program in programs where ChildProcess.find(program) == nil {
      say("skipped: '\(program)' is not installed\n")
      return false
    }
    if Processors.count < 2 { say("with one processor, sender and meter disturb each other") }
    return true
  }

  private static func title(_ rate: Double) -> String {
    rate > 0 ? "\(grouped(Int(rate))) packets/s" : "as fast as it goes"
  }

  private func run(_ loads: [Load]) throws(BenchmarkError) {
    var results = [[[LiveResult?]]](
      repeating: [[LiveResult?]](repeating: [], count: peers.count), count: loads.count)
    var failures: [String] = []
    try LiveTrial.onItsProcessor { () throws(BenchmarkError) in
      for _ in 0..<settings.scenarioRounds {
        for (load, loaded) in loads.enumerated() {
          for (place, peer) in peers.enumerated() {
            do throws(BenchmarkError) {
              results[load][place].append(try loaded.trial.run(peer, rate: loaded.rate, seconds: settings.seconds))
            } catch {
              try Interruption.check()
              results[load][place].append(nil)
              failures.append("\(loaded.title): \(peer.name): \(error)")
            }
          }
        }
      }
    }
    for (load, results) in zip(loads, results) { show(load, results) }
    for failure in failures { say("a run failed and is not counted: \(failure)") }
  }

  // MARK: Telling

  private func show(_ load: Load, _ results: [[LiveResult?]]) {
    say("\(load.title), \(decimal(settings.seconds, 0)) s")
    var table = TextTable([
      "", "offered/s", "lost %", "worst", "CPU ns a packet", "times yardstick", "peak MiB", "octets of these",
    ])
    let base = peers.firstIndex { $0.name == yardstick }.map { results[$0] } ?? []
    for (peer, rounds) in zip(peers, results) {
      let runs = rounds.compactMap(\.self)
      guard !runs.isEmpty else {
        table.append([peer.name] + Row(repeating: "-", count: 7))
        continue
      }
      let ratios = zip(rounds, base).compactMap { run, base in
        run.flatMap { run in base.map { run.nanoseconds / $0.nanoseconds } }
      }
      table.append([
        peer.name, grouped(Int(median(runs.map(\.offeredRate)))), decimal(median(runs.map { $0.lostShare * 100 }), 3),
        decimal(runs.map { $0.lostShare * 100 }.max()!, 3), decimal(median(runs.map(\.nanoseconds)), 0),
        ratios.isEmpty ? "-" : decimal(median(ratios), 2),
        decimal(median(runs.map { Double($0.peer.cost.peakBytes) / 1_048_576 }), 0), exactness(runs),
      ])
    }
    table.print()
  }

  /// Whether the octets are right where no packet is missing; what else is to be said.
  private func exactness(_ runs: [LiveResult]) -> String {
    for run in runs {
      if !run.peer.remark.isEmpty { return run.peer.remark }
      guard run.metered <= run.offered.packets else { return "\(run.metered - run.offered.packets) packets too many" }
      guard let totals = run.peer.totals, totals.octets > 0 else { return "-" }
      guard totals.packets == run.offered.packets, totals.octets != run.offered.octets else { continue }
      return "\(decimal(Double(totals.octets) / Double(run.offered.octets) * 100, 3)) %"
    }
    return runs.contains { $0.lostShare == 0 } ? "exact" : "-"
  }
}
