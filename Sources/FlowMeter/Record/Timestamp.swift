// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: clock_gettime writes one timespec of ours.

internal import Glibc

/// A moment, in milliseconds since 1970-01-01 UTC, the resolution of IE 152 and 153 (flowStartMilliseconds).
///
/// Times of a capture are cut to the millisecond, never rounded: a packet keeps its second.
public struct Timestamp: Hashable, Comparable, Sendable {
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public init(seconds: Int, nanoseconds: Int) {
    milliseconds = Int64(seconds) &* 1000 &+ Int64(nanoseconds) / 1_000_000
  }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

  /// This moment moved by some milliseconds.
  public func advanced(byMilliseconds distance: Int64) -> Timestamp {
    Timestamp(milliseconds: milliseconds &+ distance)
  }

  /// The wall clock (CLOCK_REALTIME).
  public static func wallClock() -> Timestamp { read(CLOCK_REALTIME) }

  /// The clock that no one sets (CLOCK_MONOTONIC): its zero is the machine's start.
  public static func monotonicClock() -> Timestamp { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Timestamp(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
  }
}
