// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands posix_spawn an array of C strings that live until it returns, and wait4 structures of ours.

internal import Glibc

/// Another program that runs to its end, and what it cost.
struct ChildProcess {
  /// What the kernel says of a process that has ended.
  struct Cost {
    /// User and system time, of all its threads.
    var cpuNanoseconds: Double
    /// The most bytes it had in memory.
    var peakBytes: Int
  }

  let name: String
  private let process: pid_t
  private let log: String
  private var peak = 0

  /// Starts a program; what it prints goes to the file `log`.
  init(_ path: String, _ arguments: [String], log: String) throws(BenchmarkError) {
    name = String(path.split(separator: "/").last ?? "")
    self.log = log
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
    self.process = process
  }

  /// Looks whether it has ended; nil while it runs.
  mutating func poll() throws(BenchmarkError) -> Cost? {
    // Of a process that has ended the kernel knows a peak that counts this program's too, from before it became
    // another: it is asked for while it runs.
    if let now = ResidentMemory.peak(of: process) { peak = max(peak, now) }
    var status: Int32 = 0
    var usage = rusage()
    let result = unsafe wait4(process, &status, WNOHANG, &usage)
    if result == 0 { return nil }
    guard result == process else { throw BenchmarkError(cannot: "wait for '\(name)'") }
    guard status == 0 else {
      let how = status & 0x7f == 0 ? "with status \(status >> 8 & 0xff)" : "by signal \(status & 0x7f)"
      throw BenchmarkError("'\(name)' ended \(how); it said: \(output.suffix(400))")
    }
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    let microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
    return Cost(cpuNanoseconds: Double(seconds) * 1e9 + Double(microseconds) * 1e3, peakBytes: peak)
  }

  /// Ends it and waits until it has gone.
  func stop() {
    kill(process, SIGTERM)
    waitpid(process, nil, 0)
  }

  /// What it printed.
  var output: String {
    guard let file = unsafe fopen(log, "re") else { return "" }
    defer { unsafe fclose(file) }
    var octets = [UInt8](repeating: 0, count: 65_536)
    let length = unsafe fread(&octets, 1, octets.count, file)
    return String(decoding: octets.prefix(length), as: UTF8.self)
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
