// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Glibc

/// Where the statistics files are.
struct StatisticsOptions: ParsableArguments {
  /// Where they are looked for.
  static let defaultDirectory = "/run/flowprobe/stat"

  @Option(
    name: .customLong("stat-dir"),
    help: ArgumentHelp(
      "Write statistics files to this directory once a second. Default: \(Self.defaultDirectory) where root exports"
        + " live traffic, else none.",
      valueName: "directory"))
  var directory: String?

  @Flag(name: .customLong("no-stat"), help: "Write no statistics files.")
  var isOff = false

  func validate() throws {
    // As an argument of its own an empty one gets here.
    guard directory != "" else { throw ValidationError("--stat-dir needs a directory; --no-stat writes no files.") }
    guard directory == nil || !isOff else { throw ValidationError("--stat-dir and --no-stat exclude each other.") }
  }

  /// The directory of a program that meters live traffic; nil for none.
  func directory(exports: Bool) -> String? {
    if isOff { return nil }
    return directory ?? (exports && geteuid() == 0 ? Self.defaultDirectory : nil)
  }
}
