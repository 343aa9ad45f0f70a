// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc

/// A program that a test runs, with nothing on its standard input for as long as the test wants.
final class ChildProcess {
  private let process: pid_t
  private let input: Int32
  private var hasEnded = false

  /// - Parameter output: the file that gets what it writes; nil: nobody.
  init(_ arguments: [String], output: String? = nil) throws {
    var ends: [Int32] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw SystemError.last }
    // Another child that is started in between would hold the end open.
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    var process = pid_t()
    let result = unsafe posix_spawnp(&process, arguments[0], &actions, nil, &words, environ)
    close(ends[0])
    (self.process, input) = (process, ends[1])
    guard result == 0 else {
      hasEnded = true
      throw SystemError(code: result)
    }
  }

  deinit { stop() }

  /// Waits until it ends by itself; its exit status.
  @discardableResult
  func wait() -> Int32 {
    var status = Int32(0)
    if !hasEnded { unsafe waitpid(process, &status, 0) }
    hasEnded = true
    return status >> 8 & 0xff
  }

  func stop() {
    guard !hasEnded else { return }
    close(input)
    kill(process, SIGKILL)
    wait()
  }

  /// Runs a program to its end.
  static func run(_ arguments: String...) throws -> Int32 { try ChildProcess(arguments).wait() }

  /// Whether there is such a program.
  static func exists(_ name: String) -> Bool { (try? run("sh", "-c", "command -v \(name)")) == 0 }
}
