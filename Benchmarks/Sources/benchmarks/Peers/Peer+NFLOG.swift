// SPDX-License-Identifier: Apache-2.0

internal import Glibc

extension Peer {
  /// Those that read what a rule logs.
  static func readingNFLOG() throws(BenchmarkError) -> [Peer] {
    let threshold = RouterNetwork.threshold
    var peers = [
      Peer(name: yardstickNFLOG, path: try sibling("nflogreader"), output: .words, startSeconds: 0.5) {
        [$0.input, "\(threshold)"]
      },
      try flowprobeLive { ["--nflog", $0.input] },
    ]
    peers += othersReadingNFLOG(threshold).compactMap(\.self)
    return peers
  }

  private static func othersReadingNFLOG(_ threshold: Int) -> [Peer?] {
    [
      of("uacctd", package: "pmacct") { path in
        Peer(
          name: "uacctd", path: path,
          configuration: { run in
            PmacctConfiguration.text(
              daemon: "uacctd", run,
              input: """
                uacctd_group: \(run.input)
                uacctd_nl_size: 2097152
                uacctd_threshold: \(threshold)
                snaplen: \(snapLength)
                """)
          }, startSeconds: 3, stopSignal: SIGINT, arguments: { ["-f", $0.configuration] })
      },
      of("ulogd", package: "ulogd2") { path in
        Peer(
          name: "ulogd (a line a packet)", path: path, output: .lines("packets"),
          configuration: { ulogdConfiguration($0, threshold: threshold) }, arguments: { ["-c", $0.configuration] })
      },
    ]
  }

  /// The empty reader.
  static let yardstickNFLOG = "libnetfilter_log, reads only"

  /// One line of text for each packet: it has no flows of its own, and no export.
  private static func ulogdConfiguration(_ run: Run, threshold: Int) -> String {
    let plugins = [
      "inppkt_NFLOG", "raw2packet_BASE", "filter_IFINDEX", "filter_IP2STR", "filter_PRINTPKT", "output_LOGEMU",
    ]
    let folder = Files.names(in: "/usr/lib").map { "/usr/lib/\($0)/ulogd" }.first {
      !Files.names(in: $0).isEmpty
    }
    return """
      [global]
      logfile="\(run.folder)/log"
      loglevel=3
      \(plugins.map { "plugin=\"\(folder ?? "/usr/lib/ulogd")/ulogd_\($0).so\"" }.joined(separator: "\n"))
      stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU
      [log1]
      group=\(run.input)
      netlink_socket_buffer_size=67108864
      netlink_socket_buffer_maxsize=134217728
      bind=1
      netlink_qthreshold=\(threshold)
      netlink_qtimeout=10
      [emu1]
      file="\(run.folder)/packets"
      sync=0

      """
  }
}
