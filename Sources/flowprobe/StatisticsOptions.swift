// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// Where the statistics are: in files, and by HTTP.
struct StatisticsOptions: ParsableArguments {
  /// Where they are looked for.
  static let defaultDirectory = RuntimeDirectory.standard + name
  private static let name = "/stat"

  @Option(
    name: .customLong("stat-dir"),
    help: ArgumentHelp(
      "Write statistics files to this directory once a second. Default: \(Self.defaultDirectory) where root exports"
        + " live traffic, else none.",
      valueName: "directory"),
    completion: .directory)
  var directory: String?

  @Flag(name: .customLong("no-stat"), help: "Write no statistics files.")
  var isOff = false

  @Option(
    help: ArgumentHelp(
      "Serve the statistics to Prometheus by HTTP on this address, a literal; a port alone is on 127.0.0.1.",
      valueName: "[address:]port"))
  var metrics: String?

  func validate() throws {
    _ = try metricsAddress()
    // As an argument of its own an empty one gets here.
    guard directory != "" else { throw ValidationError("--stat-dir needs a directory; --no-stat writes no files.") }
    guard directory == nil || !isOff else { throw ValidationError("--stat-dir and --no-stat exclude each other.") }
  }

  /// The directory of a program that meters live traffic; nil for none.
  func directory(exports: Bool) -> String? {
    if isOff { return nil }
    return directory ?? (exports ? RuntimeDirectory.ofProcess.map { $0 + Self.name } : nil)
  }

  func metricsAddress() throws -> ListeningAddress? {
    guard let metrics else { return nil }
    guard let address = ListeningAddress(metrics) else {
      throw ValidationError(
        "'\(metrics)' is no address to listen on; give a port, as in 9995, or an address and a port, as in"
          + " 192.0.2.1:9995 or [2001:db8::1]:9995.")
    }
    return address
  }
}
