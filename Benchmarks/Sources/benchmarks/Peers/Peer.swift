// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads an environment variable.

internal import Glibc

/// A program that meters, as it is started for one scenario.
struct Peer {
  /// Where its flows go.
  enum Output {
    /// Messages to the socket.
    case socket
    /// Files that nfdump reads, in the run's folder.
    case nfdumpFiles
    /// A line for each packet, in this file of the run's folder.
    case lines(String)
    /// It says itself what it read, as `packets=` and `octets=`.
    case words
    /// Nowhere.
    case none
  }

  /// What a run is told.
  struct Run {
    /// The path of a capture, the name of an interface, the number of an NFLOG group.
    var input: String
    /// An empty one.
    var folder: String
    /// The socket's.
    var port: UInt16

    var collector: String { "127.0.0.1:\(port)" }
    var configuration: String { "\(folder)/configuration" }
  }

  var name: String
  var path: String
  var output = Output.socket
  /// What stands in the file ``Run/configuration`` that is written before it starts.
  var configuration: (@Sendable (Run) -> String)?
  /// How long it takes until it meters, generously. Seconds.
  var startSeconds = 1.0
  /// What ends it, where SIGTERM does not: another signal, or a program.
  var stopSignal = SIGTERM
  var stopCommand: (@Sendable (Run) -> [String])?
  /// Whether it meters with two threads.
  var isParallel = false
  var arguments: @Sendable (Run) -> [String]

  /// Active and inactive timeout of all, or what comes near it. Seconds.
  static let activeTimeout = 300
  static let inactiveTimeout = 60
  /// How many flows all have room for.
  static let flows = 2_000_000
  /// How much of a packet those look at who can be told.
  static let snapLength = 96

  /// The row that the others are held against.
  static let yardstick = "yardstick"
  static let flowprobe = "flowprobe"

  /// A peer of that program, or a word that it is not there.
  static func of(_ program: String, package: String, _ make: (String) -> Peer) -> Peer? {
    if let path = ChildProcess.find(program) { return make(path) }
    say("\(program) is not installed: left out (apt-get install \(package))")
    return nil
  }

  /// A program that was built with this one.
  static func sibling(_ name: String) throws(BenchmarkError) -> String {
    var octets = [UInt8](repeating: 0, count: 4096)
    let length = unsafe octets.withUnsafeMutableBytes { unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    let own = String(decoding: octets.prefix(max(0, length)), as: UTF8.self)
    let folder = own.split(separator: "/").dropLast().joined(separator: "/")
    if let path = ChildProcess.find("/\(folder)/\(name)") { return path }
    throw BenchmarkError("cannot find '\(name)' in '/\(folder)'; build it with 'swift build -c release'")
  }

  /// What FLOWPROBE names, or what was built beside this package.
  static func flowprobePath() throws(BenchmarkError) -> String {
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
