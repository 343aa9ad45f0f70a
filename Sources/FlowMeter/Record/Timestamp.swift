// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: clock_gettime writes one timespec of ours.

internal import Glibc

/// A moment, in milliseconds since 1970-01-01 UTC, the resolution of IE 152 and 153 (flowStartMilliseconds).
///
/// Times of a capture are cut to the millisecond, never rounded: a packet keeps its second.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Since 1970-01-01 UTC.
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// The moment of a `timespec`; what does not fit is the nearest that does.
  public init(seconds: Int, nanoseconds: Int) {
    // Saturating: captures can claim any time.
    let (product, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1000)
    milliseconds = overflow ? (seconds < 0 ? .min : .max) : product &+ Int64(nanoseconds) / 1_000_000
  }

  /// From 1970 to the year 6429: what packets can have been stamped with.
  public static let plausible = Timestamp(milliseconds: 0)...Timestamp(milliseconds: 1 << 47)

  @inline(__always)
  var clampedToPlausible: Timestamp {
    Timestamp(milliseconds: min(max(milliseconds, 0), 1 << 47))
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
