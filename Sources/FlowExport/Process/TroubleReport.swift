// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What went wrong with a destination, to be told at most once a minute.
struct TroubleReport {
  private static let interval: Int64 = 60_000

  private var reason = ""
  private var times = 0
  private var told = Timestamp(milliseconds: .min / 2)

  mutating func note(_ reason: String, times: Int = 1) {
    self.reason = reason
    self.times += times
  }

  /// What is to be told now; it is taken to be told.
  mutating func take(at now: Timestamp) -> (reason: String, times: Int)? {
    guard times > 0, now.milliseconds - told.milliseconds >= Self.interval else { return nil }
    defer { (times, told) = (0, now) }
    return (reason, times)
  }
}
