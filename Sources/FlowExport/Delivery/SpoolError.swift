// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// Why a spool cannot be used now.
struct SpoolError: Error, Hashable, CustomStringConvertible {
  var directory: String
  var error: SystemError

  init(_ directory: String, _ error: SystemError) { (self.directory, self.error) = (directory, error) }

  /// Whether another flowprobe has it.
  var isTaken: Bool { error.code == EWOULDBLOCK }

  /// Whether it is this process that lacks something, and nothing is wrong with the files.
  var isOurs: Bool { [EMFILE, ENFILE, ENOMEM].contains(error.code) }

  var description: String {
    isTaken
      ? "cannot use spool '\(directory)': another flowprobe has it; give each destination a directory of its own"
      : "cannot use spool '\(directory)': \(error); give another directory with spool=DIRECTORY, or make room there"
  }
}
