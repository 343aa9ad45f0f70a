// SPDX-License-Identifier: Apache-2.0

extension Peer {
  /// Those that read capture files.
  static func readingFiles() throws(BenchmarkError) -> [Peer] {
    let yardstick = try sibling("yardstick")
    var peers = [
      Peer(name: "yardstick, reads only", path: yardstick, output: .none) { ["read", "-r", $0.input] },
      Peer(name: Self.yardstick, path: yardstick) { run in
        ["meter", "-r", run.input, "-n", run.collector, "-e", "\(activeTimeout)", "-d", "\(inactiveTimeout)"]
      },
      Peer(name: flowprobe, path: try flowprobePath()) { run in
        [
          "-r", run.input, "--dest", run.collector, "--protocol", "10", "--active-timeout", "\(activeTimeout)",
          "--inactive-timeout", "\(inactiveTimeout)", "--export-rate", "0",
        ]
      },
    ]
    peers += othersReadingFiles().compactMap(\.self)
    return peers
  }

  private static func othersReadingFiles() -> [Peer?] {
    [
      // Its own table of 8192 flows ends them early, and is fast for it.
      of("softflowd", package: "softflowd") { path in
        Peer(name: "softflowd", path: path) { run in
          ["-d", "-r", run.input, "-n", run.collector, "-v", "10", "-6", "-p", "\(run.folder)/pid", "-c", "none"]
        }
      },
      of("softflowd", package: "softflowd") { path in
        Peer(name: "softflowd -m \(flows)", path: path) { run in
          [
            "-d", "-r", run.input, "-n", run.collector, "-v", "10", "-6", "-a", "-m", "\(flows)", "-p",
            "\(run.folder)/pid", "-c", "none",
          ]
        }
      },
      of("nfpcapd", package: "nfdump") { path in
        Peer(name: "nfpcapd", path: path, output: .nfdumpFiles) { run in
          [
            "-r", run.input, "-w", run.folder, "-s", "\(snapLength)", "-e", "\(activeTimeout),\(inactiveTimeout)",
            "-B", "\(flows)",
          ]
        }
      },
      of("pmacctd", package: "pmacct") { path in
        Peer(
          name: "pmacctd", path: path,
          configuration: { run in
            PmacctConfiguration.text(daemon: "pmacctd", run, input: "pcap_savefile: \(run.input)")
          }, arguments: { ["-f", $0.configuration] })
      },
    ]
  }
}
