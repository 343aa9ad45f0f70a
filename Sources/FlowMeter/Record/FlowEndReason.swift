// SPDX-License-Identifier: Apache-2.0

/// Why a Flow Record left the table (IE 136 flowEndReason, RFC 5102 section 5.11.3).
public struct FlowEndReason: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// No packet for the inactive timeout.
  public static let idleTimeout = FlowEndReason(rawValue: 1)
  /// The Flow goes on, and the active timeout has passed since it was last reported.
  public static let activeTimeout = FlowEndReason(rawValue: 2)
  /// Idle, after a TCP FIN or RST was seen.
  public static let endOfFlowDetected = FlowEndReason(rawValue: 3)
  /// The operator asked for it, or metering stops.
  public static let forcedEnd = FlowEndReason(rawValue: 4)
  /// The table was full and this was the Flow nearest to its end.
  public static let lackOfResources = FlowEndReason(rawValue: 5)
}
