// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: clock_gettime writes one timespec of ours.

internal import Glibc

/// Adds up the CPU time of the calling thread between ``start()`` and ``stop()``.
///
/// CPU time, since what else runs on the machine then costs caches only. Reading it takes some hundred nanoseconds:
/// a stretch should be a thousand operations or more.
struct Stopwatch {
  private(set) var nanoseconds: UInt64 = 0
  private var started: UInt64 = 0

  mutating func start() { started = Self.now }

  mutating func stop() { nanoseconds += Self.now - started }

  private static var now: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
