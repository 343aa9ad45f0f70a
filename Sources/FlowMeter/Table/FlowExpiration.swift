// SPDX-License-Identifier: Apache-2.0

/// When a Flow ends: pure arithmetic on the times of its packets (RFC 5470 section 5.1.1, RFC 7011 section 2).
///
/// A Flow is idle at its last packet's time + ``inactiveTimeout`` and is reported, though still active, at its
/// first packet's time + ``activeTimeout``. A packet at or after either moment begins the next record, so the records
/// depend on the packets' times alone and not on when somebody looked.
public struct FlowExpiration: Hashable, Sendable {
  /// How long a Flow may last before it is reported although still active.
  ///
  /// Seconds; default 60; at least 1, at most 86 400. Reported as flowEndReason 2 (IE 136).
  public var activeTimeout: Duration = .seconds(60)

  /// How long a Flow may be silent before it ends.
  ///
  /// Seconds; default 15; at least 1, at most 86 400. Reported as flowEndReason 1, or 3 after a TCP FIN or RST.
  public var inactiveTimeout: Duration = .seconds(15)

  public init() {}

  /// What the table reckons with.
  struct Milliseconds: Sendable {
    let active: Int64
    let inactive: Int64

    init(_ expiration: FlowExpiration) {
      let range = Duration.seconds(1)...Duration.seconds(86_400)
      precondition(range.contains(expiration.activeTimeout), "activeTimeout out of range")
      precondition(range.contains(expiration.inactiveTimeout), "inactiveTimeout out of range")
      active = expiration.activeTimeout.milliseconds
      inactive = expiration.inactiveTimeout.milliseconds
    }

    /// No Flow is looked at later than that behind its first packet.
    var horizon: Int64 { min(active, inactive) }

    /// The first moment at which the Flow ends if no packet comes.
    @inline(__always)
    func deadline(of slot: borrowing FlowSlot) -> Int64 {
      min(slot.start &+ active, slot.end &+ inactive)
    }

    /// The deadline of a Flow whose only packet came at `time`.
    @inline(__always)
    func deadline(ofNewFlowAt time: Int64) -> Int64 { time &+ horizon }

    /// Whether a packet at `distance` after the Flow's first one still belongs to it.
    @inline(__always)
    func admits(_ slot: FlowSlot, atMillisecond distance: Int64) -> Bool {
      distance < active && distance &- Int64(slot.duration) < inactive && slot.packets != .max
    }

    /// Why a Flow that has reached its deadline ends.
    func reason(_ slot: borrowing FlowSlot) -> FlowEndReason {
      guard slot.end &+ inactive <= slot.start &+ active, slot.packets != .max else { return .activeTimeout }
      return slot.hasEnded ? .endOfFlowDetected : .idleTimeout
    }
  }
}

extension FlowSlot {
  /// A TCP FIN or RST was seen (RFC 9293 section 3.1).
  var hasEnded: Bool {
    UInt8(truncatingIfNeeded: transport >> 32) == IPProtocol.tcp.rawValue && tcpControlBits & 0x05 != 0
  }
}
