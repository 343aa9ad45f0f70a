// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: clock_gettime writes one timespec of ours.

internal import Glibc

/// The time that goes on evenly, whatever is done to the machine's clock.
enum Clock {
  static var nanoseconds: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  static var seconds: Double { Double(nanoseconds) / 1e9 }
}
