// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// When the templates are sent beside the encoder's own rules, by the monotonic clock: to a new session, and where some
/// were lost.
struct TemplateSchedule {
  /// Nil: not before the encoder's rules.
  private var next: Timestamp? = Timestamp(milliseconds: 0)
  private var repeats = false

  /// Between two copies at the start. Milliseconds.
  private static let repetition: Int64 = 5000
  /// After a loss. Milliseconds.
  private static let delay: Int64 = 1000

  func isDue(at now: Timestamp) -> Bool { next.map { now >= $0 } ?? false }

  mutating func noteSent(at now: Timestamp) {
    // RFC 7011 section 8.4 wants several copies at the start: datagrams get lost.
    next = repeats ? now.advanced(byMilliseconds: Self.repetition) : nil
    repeats = false
  }

  /// A session begins: whoever listens there has seen no template.
  ///
  /// - Parameter repeats: whether what is sent to it may get lost.
  mutating func begin(repeats: Bool) { (next, self.repeats) = (Timestamp(milliseconds: 0), repeats) }

  /// Sees to it that they go out again soon: some were lost.
  mutating func areMissed(at now: Timestamp) { hurry(to: now.advanced(byMilliseconds: Self.delay)) }

  /// Makes them due then, unless they are before.
  mutating func hurry(to moment: Timestamp) { next = min(next ?? moment, moment) }
}
