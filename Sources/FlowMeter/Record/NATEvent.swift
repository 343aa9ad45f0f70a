// SPDX-License-Identifier: Apache-2.0

/// A translated connection began or ended (RFC 8158 section 5).
///
/// The Information Elements of the export bind to these stored properties: see `NATEventFields`.
public struct NATEvent: Sendable {
  /// What became of the connection (IE 230 natEvent).
  public enum Kind: Sendable {
    /// It began.
    case create
    /// It ended.
    case delete
  }

  /// Whether it began or ended.
  public var kind: Kind
  /// The moment, by the wall clock (IE 323): conntrack's own stamp where the kernel keeps them, else of the arrival.
  public var time: Timestamp
  /// Its addresses and ports, before and after the translations.
  public var connection: Connection
  /// What the connection carried: of a delete event where the kernel counts (net.netfilter.nf_conntrack_acct).
  public var traffic: ConnectionTraffic?

  /// An event; `traffic` is left out of one that has no counters.
  public init(_ kind: Kind, _ connection: Connection, at time: Timestamp, traffic: ConnectionTraffic? = nil) {
    (self.kind, self.connection, self.time, self.traffic) = (kind, connection, time, traffic)
  }
}

/// What a connection carried, by conntrack's counters. Octets are IP octets.
public struct ConnectionTraffic: Hashable, Sendable {
  /// IE 298 and 231: of the original direction.
  public var initiatorPackets: UInt64 = 0
  /// IE 231: of the original direction.
  public var initiatorOctets: UInt64 = 0
  /// IE 299 and 232: of the reply direction.
  public var responderPackets: UInt64 = 0
  /// IE 232: of the reply direction.
  public var responderOctets: UInt64 = 0

  public init() {}
}
