// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// What was exported to one destination. Counters are totals since the start.
///
/// `taken from the table = sent + lost + notRepresentable + pending`, in flows, packets and octets. A record counts as
/// sent when the network took it; what happens to a datagram later nobody tells, except by ``refusals``.
public struct ExportStatistics: Sendable {
  /// Flow Records sent and what they count.
  public var sent = FlowTotals()
  /// Messages sent, templates and options included.
  public var messages: UInt64 = 0
  /// Octets of those, without UDP and IP headers.
  public var octets: UInt64 = 0
  /// Flow Records whose message could not be sent.
  public var lost = FlowTotals()
  /// Messages that could not be sent, by kind.
  public var errors: [ExportError.Kind: UInt64] = [:]
  /// Messages that the Collector's host answered with "port unreachable": nobody listens there.
  public var refusals: UInt64 = 0
  /// Flow Records that the protocol cannot carry: IPv6 in NetFlow v5.
  public var notRepresentable = FlowTotals()
  /// NAT events: sent, those whose message could not be sent, and those that the protocol cannot carry.
  public var natEvents = EventTotals()
  /// Whether there is a socket now.
  public var isConnected = false

  public init() {}
}

/// What became of NAT events.
public struct EventTotals: Hashable, Sendable {
  public var sent: UInt64 = 0
  public var lost: UInt64 = 0
  /// Of IPv6 in NetFlow v5.
  public var notRepresentable: UInt64 = 0

  public init() {}
}
