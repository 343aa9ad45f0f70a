// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: clock_gettime and nanosleep on a timespec of ours.

internal import Glibc

/// Spreads messages over time, so that a burst does not overrun a receiver with a default socket buffer (about 90
/// datagrams): a token bucket.
struct Pace {
  /// How many messages may leave at once.
  static let burst = 32

  /// Nanoseconds a message; 0 does not wait.
  private let interval: Int64
  /// When the bucket would be empty: each message moves it on.
  private var horizon: Int64 = 0

  /// - Parameter perSecond: 0 is without limit.
  init(perSecond: Int) { interval = perSecond > 0 ? max(1, 1_000_000_000 / Int64(perSecond)) : 0 }

  /// How many messages to ask for at a time.
  var chunk: Int { interval > 0 ? Self.burst : MessageBatch.capacity }

  /// Waits until `count` messages may leave.
  mutating func wait(for count: Int) {
    guard interval > 0 else { return }
    let now = Self.now()
    horizon = max(horizon, now - Int64(Self.burst) * interval) + Int64(count) * interval
    let wait = horizon - now
    guard wait > 0 else { return }
    var time = timespec(tv_sec: Int(wait / 1_000_000_000), tv_nsec: Int(wait % 1_000_000_000))
    // Cut short by a signal it lets a message leave early: the next one waits the longer.
    unsafe nanosleep(&time, nil)
  }

  private static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
