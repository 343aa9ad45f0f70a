// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads the C library's text for an error number at once.

internal import Glibc

/// Why a benchmark cannot run.
struct BenchmarkError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }

  /// With the reason of the system call that just failed.
  init(cannot action: String) {
    let number = errno
    description = unsafe "cannot \(action): \(String(cString: strerror(number)))"
  }
}
