// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// The clock of a capture file: the packets' own times, so that a file gives the same records on every run.
///
/// What a `MeteringClock` is for packets that come now. Not thread-safe.
public struct FileClock: Sendable {
  /// Before the first packet: when the clock was made.
  private let made = Timestamp.wallClock()
  private var boot: Timestamp?

  public init() {}

  /// The instant of the latest packet that was metered.
  ///
  /// The device is taken to have started twenty days before the first packet that was read: sysUpTime has 49.7 days,
  /// and the packets of a capture need not be in order.
  public mutating func instant(of process: MeteringProcess) -> ExportInstant {
    let latest = process.latestPacket
    guard latest.milliseconds != .min else { return ExportInstant(now: made, boot: Self.boot(before: made)) }
    let boot = boot ?? Self.boot(before: latest)
    self.boot = boot
    return ExportInstant(now: latest, boot: boot)
  }

  private static func boot(before time: Timestamp) -> Timestamp { time.advanced(byMilliseconds: -20 * 86_400_000) }
}
