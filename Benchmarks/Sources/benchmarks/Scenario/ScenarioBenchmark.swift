// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The whole program over captures, beside others that do the same.
struct ScenarioBenchmark {
  private let settings: Settings
  private let peers: [Peer]
  private let folder: TemporaryFolder
  private let socket: CollectorSocket

  static func run(_ settings: Settings) throws(BenchmarkError) {
    Interruption.prepare()
    say("scenario: a capture file into IPFIX over UDP (nfpcapd: into its own files)")
    let benchmark = ScenarioBenchmark(
      settings: settings, peers: try Peer.readingFiles(), folder: try TemporaryFolder(), socket: try CollectorSocket())
    for kind in TrafficKind.allCases { try benchmark.run(kind) }
  }

  private func run(_ kind: TrafficKind) throws(BenchmarkError) {
    let path = "\(folder.path)/\(kind.rawValue).pcap"
    // Each packet of a flood takes a record's memory, twice: in the meter and at the socket.
    let packets = kind == .flood ? settings.packets / 2 : settings.packets
    let capture = try CaptureWriter.write(TrafficGenerator(kind, packets: packets), to: path)
    defer { Files.remove(path) }

    var results = [[PeerResult]](repeating: [], count: peers.count)
    for _ in 0..<settings.scenarioRounds {
      for place in peers.indices { results[place].append(try run(peers[place], capture)) }
    }
    say("\(kind.rawValue): \(grouped(capture.totals.packets)) packets, \(grouped(capture.totals.octets)) IP octets")
    show(results, capture.totals)
  }

  private func run(_ peer: Peer, _ capture: Capture) throws(BenchmarkError) -> PeerResult {
    let run = try PeerRun(peer, input: capture.path, socket: socket)
    while try run.look(waitingMilliseconds: 3) {}
    return try run.result()
  }

  // MARK: Telling

  private func show(_ results: [[PeerResult]], _ truth: FlowTotals) {
    var table = TextTable([
      "", "CPU ns a packet", "times yardstick", "peak MiB", "flow records", "packets and octets exported",
    ])
    let packets = Double(truth.packets)
    let yardstick = peers.firstIndex { $0.name == Peer.yardstick }!
    for (peer, runs) in zip(peers, results) {
      let ratios = zip(runs, results[yardstick]).map { $0.cost.cpuNanoseconds / $1.cost.cpuNanoseconds }
      table.append([
        peer.name, decimal(median(runs.map { $0.cost.cpuNanoseconds / packets }), 0), decimal(median(ratios), 2),
        decimal(median(runs.map { Double($0.cost.peakBytes) / 1_048_576 }), 0),
        runs[0].totals.map { grouped($0.flows) } ?? "-", exactness(runs, truth),
      ])
    }
    table.print()
  }

  /// "exact" where every run was, else the worst.
  private func exactness(_ runs: [PeerResult], _ truth: FlowTotals) -> String {
    var worst: (share: Double, text: String)?
    for run in runs {
      guard let totals = run.totals else { return "-" }
      guard totals.packets != truth.packets || totals.octets != truth.octets || !run.remark.isEmpty else { continue }
      let shares = [
        Double(totals.packets) / Double(truth.packets) * 100, Double(totals.octets) / Double(truth.octets) * 100,
      ]
      let text = "\(decimal(shares[0], 3)) % and \(decimal(shares[1], 3)) %"
      guard shares[0] < worst?.share ?? .infinity else { continue }
      worst = (shares[0], run.remark.isEmpty ? text : text + "; " + run.remark)
    }
    return worst?.text ?? "exact"
  }
}
