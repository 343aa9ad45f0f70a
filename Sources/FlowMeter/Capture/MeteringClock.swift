// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The clock of live metering: it shows the wall clock's time at start and then runs with the monotonic clock, so that
/// setting the wall clock neither ends Flows nor keeps them alive.
///
/// Packets are stamped by the wall clock; ``shift`` is how far that has been set since the start. Any thread.
public final class MeteringClock: Sendable {
  private let offset: Int64
  private let shiftMilliseconds = Atomic<Int64>(0)

  public init() {
    offset = Timestamp.wallClock().milliseconds - Timestamp.monotonicClock().milliseconds
  }

  /// The time by which Flows are held in the table.
  public var now: Timestamp { Timestamp.monotonicClock().advanced(byMilliseconds: offset) }

  /// The monotonic clock's zero, the machine's start, as the table's time.
  public var zero: Timestamp { Timestamp(milliseconds: offset) }

  /// How far the wall clock is ahead of ``now``, milliseconds: what turns the table's times into the wall clock's.
  public var shift: Int64 { shiftMilliseconds.load(ordering: .relaxed) }

  /// Looks whether the wall clock was set. Small differences are left alone: they are of the two readings.
  public func adjust() { _ = reading() }

  /// The clock as one batch of packets reads it, which looks whether the wall clock was set.
  package func reading() -> LiveClock {
    let (now, known) = (now, shift)
    let difference = Timestamp.wallClock().milliseconds - now.milliseconds
    guard abs(difference - known) > 50 else { return LiveClock(now: now, shift: known) }
    shiftMilliseconds.store(difference, ordering: .relaxed)
    return LiveClock(now: now, shift: difference)
  }
}

/// One reading of the ``MeteringClock``: what turns packets' stamps into the table's time.
package struct LiveClock {
  package let now: Timestamp
  let shift: Int64

  /// How long ago a stamp may be; older ones, and those of times to come, were made by a clock that has been set since.
  private static let plausible: Int64 = 10_000
  /// The two clocks' readings differ by less.
  private static let tolerance: Int64 = 100

  @inline(__always)
  package func time(ofStamp stamp: Timestamp) -> Timestamp {
    let time = stamp.advanced(byMilliseconds: -shift)
    let age = now.milliseconds &- time.milliseconds
    return age > Self.plausible || age < -Self.tolerance ? now : time
  }
}
