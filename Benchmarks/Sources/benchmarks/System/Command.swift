// SPDX-License-Identifier: Apache-2.0

/// Other programs that set something up: run to their end.
enum Command {
  /// Runs a program, and says what it printed.
  @discardableResult
  static func run(_ name: String, _ arguments: [String]) throws(BenchmarkError) -> String {
    guard let path = ChildProcess.find(name) else { throw BenchmarkError("'\(name)' is not installed") }
    let folder = try TemporaryFolder()
    let child = try ChildProcess(path, arguments, log: "\(folder.path)/log")
    guard child.waitForEnd() == 0 else {
      throw BenchmarkError("'\(name) \(arguments.joined(separator: " "))' failed: \(child.output)")
    }
    return child.output
  }
}
