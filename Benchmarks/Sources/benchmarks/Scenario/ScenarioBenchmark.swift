// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The whole program over captures, beside others that do the same.
struct ScenarioBenchmark {
  private let settings: Settings
  private let peers: [Peer]
  private let folder: TemporaryFolder
  private let socket: CollectorSocket

  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("scenario: a capture file into IPFIX over UDP (nfpcapd: into its own files)")
    let benchmark = ScenarioBenchmark(
      settings: settings, peers: try Peer.installed(), folder: try TemporaryFolder(),
      socket: try CollectorSocket())
    Interruption.prepare()
    for kind in TrafficKind.allCases { try benchmark.run(kind) }
  }

  private func run(_ kind: TrafficKind) throws(BenchmarkError) {
    let path = "\(folder.path)/\(kind.rawValue).pcap"
    let capture = try CaptureWriter.write(kind, packets: settings.packets, to: path)
    defer { TemporaryFolder.remove(path) }

    var results = [[PeerResult]](repeating: [], count: peers.count)
    for _ in 0..<settings.scenarioRounds {
      for place in peers.indices { results[place].append(try run(peers[place], capture)) }
    }
    show(capture, results)
  }

  private func run(_ peer: Peer, _ capture: Capture) throws(BenchmarkError) -> PeerResult {
    let files = try folder.makeFolder("files")
    defer { TemporaryFolder.remove(files) }
    socket.reset()
    var child = try ChildProcess(
      peer.path, peer.arguments(Peer.Run(capture: capture.path, folder: files, port: socket.port)),
      log: "\(folder.path)/log")
    let cost = try wait(for: &child)
    guard peer.output == .socket else { return PeerResult(cost: cost, totals: try totals(nfdump: files)) }
    // What it sent is here, but for what the loopback still holds.
    while socket.receive(forMilliseconds: 100) {}
    var result = PeerResult(cost: cost, totals: socket.totals)
    if socket.undecoded > 0 { result.remark = "\(socket.undecoded) sets not decoded" }
    if socket.droppedMessages > 0 { result.remark = "\(socket.droppedMessages) messages lost here for want of buffer" }
    return result
  }

  private func wait(for child: inout ChildProcess) throws(BenchmarkError) -> ChildProcess.Cost {
    while true {
      _ = socket.receive(forMilliseconds: 3)
      if let cost = try child.poll() { return cost }
      if Interruption.hasCome {
        child.stop()
        throw BenchmarkError("interrupted")
      }
    }
  }

  /// What nfdump says of the files in a folder.
  private func totals(nfdump files: String) throws(BenchmarkError) -> FlowTotals? {
    guard let path = ChildProcess.find("nfdump") else { return nil }
    var child = try ChildProcess(path, ["-R", files, "-I"], log: "\(folder.path)/nfdump")
    _ = try wait(for: &child)
    func number(_ name: String) -> UInt64? {
      for line in child.output.split(separator: "\n") where line.hasPrefix(name + ": ") {
        return UInt64(line.dropFirst(name.count + 2))
      }
      return nil
    }
    guard let flows = number("Flows"), let packets = number("Packets"), let octets = number("Bytes") else { return nil }
    return FlowTotals(flows: flows, packets: packets, octets: octets)
  }

  // MARK: Telling

  private func show(_ capture: Capture, _ results: [[PeerResult]]) {
    say(
      "\(capture.kind.rawValue): \(grouped(capture.totals.packets)) packets, \(grouped(capture.totals.octets)) IP octets"
    )
    var table = TextTable([
      "", "CPU ns a packet", "times flowprobe", "peak MiB", "flow records", "packets and octets exported",
    ])
    let packets = Double(capture.totals.packets)
    for (peer, runs) in zip(peers, results) {
      let ratios = zip(runs, results[0]).map { $0.cost.cpuNanoseconds / $1.cost.cpuNanoseconds }
      table.append([
        peer.name, decimal(median(runs.map { $0.cost.cpuNanoseconds / packets }), 0), decimal(median(ratios), 2),
        decimal(median(runs.map { Double($0.cost.peakBytes) / 1_048_576 }), 0),
        runs[0].totals.map { grouped($0.flows) } ?? "-", exactness(runs, capture.totals),
      ])
    }
    table.print()
  }

  /// "exact" where every run was, else the worst.
  private func exactness(_ runs: [PeerResult], _ truth: FlowTotals) -> String {
    var worst = ""
    for run in runs {
      guard let totals = run.totals else { return "unknown" }
      guard totals.packets != truth.packets || totals.octets != truth.octets || !run.remark.isEmpty else { continue }
      let shares = [
        Double(totals.packets) / Double(truth.packets) * 100, Double(totals.octets) / Double(truth.octets) * 100,
      ]
      worst =
        "\(decimal(shares[0], 3)) % and \(decimal(shares[1], 3)) %" + (run.remark.isEmpty ? "" : "; " + run.remark)
    }
    return worst.isEmpty ? "exact" : worst
  }
}
