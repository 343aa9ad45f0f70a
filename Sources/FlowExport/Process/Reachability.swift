// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Whether a Collector is likely to get what it is sent, as far as anybody knows of UDP.
///
/// Nobody confirms a datagram. But a host answers by ICMP where nobody listens, and a message fails where there is no
/// way; so who is asked and keeps silent is taken to be there. While it is not, it is asked with templates once a
/// second.
struct Reachability {
  /// How long nothing must have gone wrong until a Collector is trusted again, milliseconds: time for two templates and an
  /// answer.
  private static let quiet: Int64 = 3000
  /// The same where there are no templates to ask with: to try is to lose.
  private static let quietUnasked: Int64 = 30_000
  /// How long an unused Collector is not asked, milliseconds.
  private static let silence: Int64 = 10_000

  private var lastTrouble: Timestamp?
  private var lastSent: Timestamp?

  /// A message was refused, or there was no way for it.
  mutating func noteTrouble(at now: Timestamp) { lastTrouble = now }

  mutating func noteSent(at now: Timestamp) { lastSent = now }

  /// - Parameter asks: whether there are templates to ask with.
  func isGood(at now: Timestamp, asks: Bool) -> Bool {
    guard let lastTrouble else { return true }
    return now.milliseconds - lastTrouble.milliseconds >= (asks ? Self.quiet : Self.quietUnasked)
  }

  /// Whether nothing has been sent for so long that nobody knows.
  func isUncertain(at now: Timestamp) -> Bool {
    guard let lastSent else { return false }
    return now.milliseconds - lastSent.milliseconds >= Self.silence
  }
}
