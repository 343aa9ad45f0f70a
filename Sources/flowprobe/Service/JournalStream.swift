// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: stat(2) into a structure of ours.

internal import Glibc

/// Standard error where it leads to systemd's journal.
enum JournalStream {
  /// - Parameter stream: the stream that the journal reads (`JOURNAL_STREAM`, systemd.exec(5)): device and inode. Who
  ///   sends standard error elsewhere inherits the variable all the same.
  static func isStandardError(_ stream: String?) -> Bool {
    var status = stat()
    guard let stream, unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  /// A line with its priority, as sd-daemon(3) has it.
  static func line(_ text: String, _ priority: Console.Priority) -> String { "<\(priority.rawValue)>\(text)" }
}
