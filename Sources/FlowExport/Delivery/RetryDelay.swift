// SPDX-License-Identifier: Apache-2.0

/// How long to wait before the next attempt to connect: half a second, then twice as long each time, a minute at most
/// (RFC 7011 section 10.4.4 speaks of attempts once a minute).
struct RetryDelay {
  private static let shortest: Int64 = 500
  private static let longest: Int64 = 60_000

  private var next = shortest

  /// The delay behind an attempt that failed, or a connection that broke. Milliseconds.
  mutating func take() -> Int64 {
    defer { next = min(next * 2, Self.longest) }
    return next
  }

  /// The Collector takes messages again.
  mutating func reset() { next = Self.shortest }
}
