// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// Why a spool cannot be used now.
struct SpoolError: Error, Hashable, CustomStringConvertible {
  var directory: String
  var error: SystemError
  /// Whether it is that files cannot be removed.
  var isOfRemoval: Bool

  init(_ directory: String, _ error: SystemError, isOfRemoval: Bool = false) {
    (self.directory, self.error, self.isOfRemoval) = (directory, error, isOfRemoval)
  }

  /// Whether another flowprobe has it.
  var isTaken: Bool { error.code == EWOULDBLOCK }

  /// Whether it is this process that lacks something, and nothing is wrong with the files.
  var isOurs: Bool { [EMFILE, ENFILE, ENOMEM].contains(error.code) }

  var description: String {
    if isOfRemoval {
      return "cannot remove from spool '\(directory)' what was sent: \(error); let it be written to, or the next start"
        + " sends that again"
    }
    return isTaken
      ? "cannot use spool '\(directory)': another flowprobe has it; give each destination a directory of its own"
      : "cannot use spool '\(directory)': \(error); give another directory with spool=DIRECTORY, or make room there"
  }
}
