// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: clock_gettime writes one timespec of ours.

internal import Glibc

/// Real time, for what waits or runs on several threads.
enum MonotonicTime {
  /// Nanoseconds.
  static var now: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  static func sleep(milliseconds: UInt32) { usleep(milliseconds * 1000) }
}
