// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands posix_spawn an array of C strings that live until it returns, and wait4 structures of ours.

internal import CSystem
internal import Glibc

/// Another program that was started; what it prints goes to a file.
struct ChildProcess {
  /// Where a program runs; nil is where this one does.
  struct Place {
    var network: NetworkNamespace?
    /// Bit by bit.
    var processors: UInt64?
  }

  let name: String
  let process: pid_t
  private let log: String

  /// Starts a program; what it prints goes to the file `log`.
  init(_ path: String, _ arguments: [String], log: String, in place: Place = Place()) throws(BenchmarkError) {
    name = String(path.split(separator: "/").last ?? "")
    self.log = log
    // A process has the namespace and the processors of the thread that starts it.
    let usual = csystem_processors()
    if let processors = place.processors { csystem_set_processors(processors) }
    defer { if place.processors != nil { csystem_set_processors(usual) } }
    guard let network = place.network else {
      process = try Self.start(path, arguments, log)
      return
    }
    process = try network.perform { () throws(BenchmarkError) in try Self.start(path, arguments, log) }
  }

  private static func start(_ path: String, _ arguments: [String], _ log: String) throws(BenchmarkError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    var words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    defer { for place in unsafe words.indices { unsafe free(words[place]) } }
    var process: pid_t = 0
    let result = unsafe posix_spawn(&process, path, &actions, nil, &words, environ)
    guard result == 0 else {
      errno = result
      throw BenchmarkError(cannot: "start '\(path)'")
    }
    return process
  }

  /// Waits until it has ended, and says how: 0 is well.
  func waitForEnd() -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status
  }

  /// What it printed.
  var output: String {
    guard let file = unsafe fopen(log, "re") else { return "" }
    defer { unsafe fclose(file) }
    var octets = [UInt8](repeating: 0, count: 65_536)
    let length = unsafe fread(&octets, 1, octets.count, file)
    return String(decoding: octets.prefix(length), as: UTF8.self)
  }

  /// The number behind `name=` in what it printed.
  func printedNumber(_ name: String) -> UInt64? {
    for word in output.split(whereSeparator: \.isWhitespace) where word.hasPrefix(name + "=") {
      return UInt64(word.dropFirst(name.count + 1))
    }
    return nil
  }

  /// Where a program is: a path as it is given, a name in PATH and where the system's own programs are; nil where it
  /// is not installed.
  static func find(_ name: String) -> String? {
    if name.contains("/") { return unsafe access(name, X_OK) == 0 ? name : nil }
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
    for folder in "\(path):/usr/sbin:/usr/local/sbin".split(separator: ":") {
      let candidate = "\(folder)/\(name)"
      if unsafe access(candidate, X_OK) == 0 { return candidate }
    }
    return nil
  }
}
