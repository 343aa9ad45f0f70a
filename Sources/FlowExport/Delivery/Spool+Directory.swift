// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on names of ours.

internal import FlowMeter
internal import Glibc

/// What is done with a spool's directory without taking it.
extension Spool {
  /// Whether a directory could be taken now. Makes nothing; one that is not there is made at the start.
  static func tryOut(_ directory: String) throws(SpoolError) {
    do throws(SystemError) {
      guard try DirectoryTree.tryOut(directory) else { return }
      let opened = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard opened >= 0 else { throw .last }
      defer { close(opened) }
      guard flock(opened, LOCK_EX | LOCK_NB) == 0 else { throw .last }
    } catch {
      throw SpoolError(directory, error)
    }
  }

  /// Makes the directory and what is in it another user's, who is to write to it.
  static func hand(_ directory: String, user: UInt32, group: UInt32) throws(SystemError) {
    let opened = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw .last }
    defer { close(opened) }
    guard fchown(opened, user, group) == 0 else { throw .last }
    for name in try SpoolNames(in: opened).segments {
      unsafe fchownat(opened, name, user, group, Int32(AT_SYMLINK_NOFOLLOW))
    }
  }
}
