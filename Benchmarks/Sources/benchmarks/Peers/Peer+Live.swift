// SPDX-License-Identifier: Apache-2.0

internal import Glibc

extension Peer {
  /// The capture buffer of those that can be told. Bytes.
  private static let buffer = 64 << 20

  /// Those that capture on an interface.
  static func capturing() throws(BenchmarkError) -> [Peer] {
    let yardstick = try sibling("yardstick")
    let live = try flowprobeLive { ["-i", $0.input] }
    var peers = [
      Peer(name: "yardstick, reads only", path: yardstick, output: .words, startSeconds: 0.5) {
        ["read", "-i", $0.input]
      },
      Peer(name: Self.yardstick, path: yardstick, startSeconds: 0.5) { run in
        ["meter", "-i", run.input, "-n", run.collector, "-e", "\(activeTimeout)", "-d", "\(inactiveTimeout)"]
      },
      live,
    ]
    if try knowsThreads(live.path) {
      var parallel = live
      let arguments = live.arguments
      if Processors.count < 3 { say("with fewer than three processors, both threads of --threads 2 have one") }
      (parallel.name, parallel.isParallel) = ("\(flowprobe) --threads 2", true)
      parallel.arguments = { arguments($0) + ["--threads", "2"] }
      peers.append(parallel)
    } else {
      say("this flowprobe does not know --threads: left out")
    }
    peers += othersCapturing().compactMap(\.self)
    return peers
  }

  /// Timeouts as the others, and the statistics and the control socket that it has by default, elsewhere.
  static func flowprobeLive(_ input: @escaping @Sendable (Run) -> [String]) throws(BenchmarkError) -> Peer {
    Peer(name: flowprobe, path: try flowprobePath()) { run in
      input(run) + [
        "--dest", run.collector, "--protocol", "10", "--active-timeout", "\(activeTimeout)", "--inactive-timeout",
        "\(inactiveTimeout)", "--stat-dir", "\(run.folder)/stat", "--control", "\(run.folder)/control",
      ]
    }
  }

  private static func knowsThreads(_ path: String) throws(BenchmarkError) -> Bool {
    try Command.run(path, ["--help"]).contains("--threads ")
  }

  private static func othersCapturing() -> [Peer?] {
    [
      // NetFlow v5 and IPv4: it knows no other.
      of("fprobe", package: "fprobe") { path in
        Peer(name: "fprobe (v5)", path: path) { run in
          [
            "-i", run.input, "-f", "ip", "-B", "\(buffer / 1024)", "-S", "\(snapLength)", "-q", "10000", "-e",
            "\(activeTimeout)", "-d", "\(inactiveTimeout)", "-l", "2", run.collector,
          ]
        }
      },
      of("softflowd", package: "softflowd") { path in
        Peer(
          name: "softflowd", path: path,
          stopCommand: { ["softflowctl", "-c", "\($0.folder)/control", "shutdown"] },
          arguments: { run in
            [
              "-d", "-i", run.input, "-B", "\(buffer)", "-C", "\(snapLength)", "-n", run.collector, "-v", "10", "-6",
              "-m", "\(flows)", "-p", "\(run.folder)/pid", "-c", "\(run.folder)/control",
            ]
          })
      },
      of("nfpcapd", package: "nfdump") { path in
        Peer(name: "nfpcapd", path: path, output: .nfdumpFiles) { run in
          [
            "-i", run.input, "-w", run.folder, "-s", "\(snapLength)", "-e", "\(activeTimeout),\(inactiveTimeout)",
            "-B", "\(flows)", "-b", "\(buffer >> 20)",
          ]
        }
      },
      of("pmacctd", package: "pmacct") { path in
        Peer(
          name: "pmacctd", path: path,
          configuration: { run in
            PmacctConfiguration.text(
              daemon: "pmacctd", run,
              input: "pcap_interface: \(run.input)\npmacctd_pipe_size: \(buffer)\nsnaplen: \(snapLength)")
          }, startSeconds: 3, stopSignal: SIGINT, arguments: { ["-f", $0.configuration] })
      },
    ]
  }
}
