// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The flood in a capture file, which holds a minute of it and a minute after it.
enum FloodInFile {
  static func run(_ settings: Settings, limit: Int) throws(BenchmarkError) -> FloodBenchmark.Result {
    let folder = try TemporaryFolder()
    let generator = AttackGenerator(packets: settings.packets / 2)
    let capture = try CaptureWriter.write(generator, to: "\(folder.path)/capture")
    let socket = try CollectorSocket()
    let peer = Peer(name: Peer.flowprobe, path: try Peer.flowprobePath()) { run in
      [
        "-r", run.input, "--dest", run.collector, "--maxflows", "\(limit)", "--export-rate", "0", "--active-timeout",
        "\(FloodBenchmark.activeTimeout)", "--inactive-timeout", "\(FloodBenchmark.inactiveTimeout)",
      ]
    }
    let run = try PeerRun(peer, input: capture.path, socket: socket, watching: Conversation.longLivedNetwork)
    var memory = MemoryCourse()
    repeat { memory.note(run.process.residentBytes) } while try run.look(waitingMilliseconds: 2)
    let result = try run.result()
    let watch = socket.counter.watch!
    let conversations = zip(watch.totals, conversationTotals(settings))
    let recovery = AttackGenerator.floodEndMilliseconds + UInt64(FloodBenchmark.inactiveTimeout) * 1000
    return FloodBenchmark.Result(
      offered: capture.totals, exported: socket.counter.totals, told: lostInSummary(run.output),
      completeConversations: conversations.count { $0.packets == $1.packets && $0.octets == $1.octets },
      conversationRecords: watch.totals.reduce(0) { $0 + $1.flows },
      early: watch.earlyRecords, earlyAfterwards: watch.lastEarlyEnd > recovery ? 1 : 0,
      memory: memory.quarters, flowsAfterwards: nil, remark: result.remark)
  }

  /// What the long-lived conversations of the capture sent.
  private static func conversationTotals(_ settings: Settings) -> [FlowTotals] {
    var generator = AttackGenerator(packets: settings.packets / 2)
    while generator.next() {}
    return generator.longLived
  }

  /// The packets that the summary tells of as lost, in the table or on the way: "N packets, …" behind "lost".
  private static func lostInSummary(_ summary: String) -> UInt64 {
    var lost: UInt64 = 0
    for line in summary.split(separator: "\n") where line.contains("lost ") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "," })
      for (number, word) in zip(words, words.dropFirst()) where word == "packets" { lost += UInt64(number) ?? 0 }
    }
    return lost
  }
}
