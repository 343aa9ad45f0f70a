// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on names of ours.

internal import FlowMeter
internal import Glibc

/// Files that are to leave a spool, and could not: one that is forgotten would be sent again by the next start.
struct StuckFiles {
  /// A file, the name that it is to have; nil: it is to go.
  typealias File = (name: String, newName: String?, octets: Int)

  private var files: [File] = []
  private var nextAttempt = Timestamp(milliseconds: 0)

  /// Between two attempts. Milliseconds.
  private static let interval: Int64 = 1000

  /// Removes a file, or gives it its new name.
  ///
  /// - Returns: its octets.
  /// - Throws: why it stays; it is tried again by ``retry(in:)``.
  mutating func takeAway(_ file: File, in directory: Int32) throws(SystemError) -> Int {
    let result =
      if let name = file.newName { unsafe renameat(directory, file.name, directory, name) } else {
        unsafe unlinkat(directory, file.name, 0)
      }
    guard result == 0 || errno == ENOENT else {
      let error = SystemError.last
      if files.isEmpty { nextAttempt = Timestamp.monotonicClock().advanced(byMilliseconds: Self.interval) }
      files.append(file)
      throw error
    }
    return file.octets
  }

  /// Whether it is time to try again.
  func isDue(at now: Timestamp) -> Bool { !files.isEmpty && now >= nextAttempt }

  /// Tries all of them again.
  ///
  /// - Returns: the octets of those that are gone now, and why others are not.
  mutating func retry(in directory: Int32) -> (gone: Int, error: SystemError?) {
    let tried = files
    var (gone, refusal): (Int, SystemError?) = (0, nil)
    files = []
    for file in tried {
      do throws(SystemError) { gone += try takeAway(file, in: directory) } catch { refusal = error }
    }
    return (gone, refusal)
  }
}
