// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads an environment variable.

internal import FlowMeter
internal import Glibc

/// A program that makes flows of a capture file.
struct Peer {
  /// Where its flows go.
  enum Output {
    /// IPFIX messages to the socket.
    case socket
    /// Files that nfdump reads.
    case nfdumpFiles
  }

  /// What a run is told: the paths of the capture and of an empty folder, the socket's port.
  struct Run {
    var capture: String
    var folder: String
    var port: UInt16
  }

  let name: String
  let path: String
  let output: Output
  let arguments: @Sendable (Run) -> [String]

  /// All with room for two million flows, active timeout 300 s and inactive timeout 60 s or what comes near it.
  static func installed() throws(BenchmarkError) -> [Peer] {
    let program = try flowprobe()
    var peers = [
      Peer(name: "flowprobe", path: program, output: .socket) { run in
        [
          "-r", run.capture, "--dest", "127.0.0.1:\(run.port)", "--protocol", "10", "--active-timeout", "300",
          "--inactive-timeout", "60", "--export-rate", "0",
        ]
      }
    ]
    if let path = ChildProcess.find("softflowd") {
      peers.append(
        Peer(name: "softflowd", path: path, output: .socket) { run in
          [
            "-d", "-r", run.capture, "-n", "127.0.0.1:\(run.port)", "-v", "10", "-6", "-a", "-m", "2000000",
            "-p", "\(run.folder)/pid", "-c", "none",
          ]
        })
    } else {
      say("softflowd is not installed: left out (apt-get install softflowd)")
    }
    if let path = ChildProcess.find("nfpcapd") {
      peers.append(
        Peer(name: "nfpcapd", path: path, output: .nfdumpFiles) { run in
          ["-r", run.capture, "-w", run.folder, "-s", "96", "-e", "300,60", "-B", "2000000"]
        })
    } else {
      say("nfpcapd is not installed: left out (apt-get install nfdump)")
    }
    return peers
  }

  /// What FLOWPROBE names, or what was built beside this package.
  private static func flowprobe() throws(BenchmarkError) -> String {
    if let name = unsafe getenv("FLOWPROBE").map({ unsafe String(cString: $0) }), !name.isEmpty {
      if let path = ChildProcess.find(name) { return path }
      throw BenchmarkError("cannot find '\(name)', which FLOWPROBE names")
    }
    // Seen from the package's own folder, and from the one above.
    for path in ["../.build/release/flowprobe", "./.build/release/flowprobe"] {
      if let found = ChildProcess.find(path) { return found }
    }
    throw BenchmarkError("cannot find flowprobe; build it with 'swift build -c release', or set FLOWPROBE")
  }
}

/// What a program made of a capture.
struct PeerResult {
  var cost: ChildProcess.Cost
  /// What it exported; nil where that cannot be read.
  var totals: FlowTotals?
  var remark = ""
}
