// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// What was exported to one destination. Counters are totals since the start.
///
/// `given = sent + lost + notRepresentable + filtered + pending`, in flows, packets and octets: a destination is given all
/// Flow Records that leave the table, a member of a group its share, and what an earlier flowprobe has left in its spool
/// (``SpoolStatistics/found``). Over UDP a record counts as sent when the network took it; what happens to a datagram later
/// nobody tells, except by ``refusals``. Over TCP and TLS it counts as sent when the Collector's TCP has acknowledged it.
public struct ExportStatistics: Sendable {
  /// Flow Records sent and what they count.
  public var sent = FlowTotals()
  /// Messages sent, templates and options included.
  public var messages: UInt64 = 0
  /// Octets of those, without headers below IPFIX or NetFlow.
  public var octets: UInt64 = 0
  /// Flow Records whose message could not be sent.
  public var lost = FlowTotals()
  /// Messages that could not be sent, by kind.
  public var errors: [ExportError.Kind: UInt64] = [:]
  /// Messages that came back: nobody listens there, or there is no way. They are among those sent.
  public var refusals: UInt64 = 0
  /// Flow Records that the protocol cannot carry: IPv6 in NetFlow v5.
  public var notRepresentable = FlowTotals()
  /// Flow Records that the destination's filter does not take; they are no loss.
  public var filtered = FlowTotals()
  /// Flow Records that waited when these figures were taken: for their message to fill, and over TCP and TLS for the
  /// Collector's acknowledgement, in memory or in the spool.
  public var pending = FlowTotals()
  /// NAT events: sent, those whose message could not be sent, and those that the protocol cannot carry.
  public var natEvents = EventTotals()
  /// Whether there is a socket now; over TCP and TLS, a connection; of files, one that is written.
  public var isConnected = false
  /// Whether records go there now; of a member of a group that may change.
  public var isInUse = true
  /// Of a destination that is files; nil: it is another.
  public var files: FileTotals?
  /// How often a socket could not be opened, bound or connected, TLS could not begin, the name had no address, or a file
  /// could not be begun.
  public var failedAttempts: UInt64 = 0
  /// Templates announced so far, those of options included; all of them are refreshed.
  public var templates = 0
  /// The socket's send buffer; 0 while there is none. Bytes, as the kernel reckons.
  public var sendBuffer = 0
  /// What of it was in use behind the last messages.
  public var sendQueue = 0
  /// The most of it that was in use so far.
  public var sendQueuePeak = 0
  /// What waits for the Collector's acknowledgement; nil where nobody acknowledges.
  public var delivery: DeliveryStatistics?

  public init() {}

  /// Adds what another destination's exporter counted; what is so of a moment stays as it is.
  public mutating func add(_ other: ExportStatistics) {
    sent.add(other.sent)
    messages += other.messages
    octets += other.octets
    lost.add(other.lost)
    errors.merge(other.errors) { $0 + $1 }
    refusals += other.refusals
    notRepresentable.add(other.notRepresentable)
    filtered.add(other.filtered)
    natEvents.sent += other.natEvents.sent
    natEvents.lost += other.natEvents.lost
    natEvents.notRepresentable += other.natEvents.notRepresentable
    natEvents.filtered += other.natEvents.filtered
    failedAttempts += other.failedAttempts
    if let other = other.delivery {
      var sum = delivery ?? DeliveryStatistics()
      sum.add(other)
      delivery = sum
    }
  }

  /// Messages that could not be sent, for whatever reason.
  public var failedMessages: UInt64 { errors.values.reduce(0, &+) }
}

extension ExportStatistics {
  /// A message of so many octets was sent, whatever it carried.
  mutating func noteSent(_ octets: Int) {
    messages += 1
    self.octets += UInt64(octets)
  }

  /// Messages that no one will have.
  mutating func noteLost(_ records: RecordTotals, messages: UInt64 = 1, _ kind: ExportError.Kind) {
    errors[kind, default: 0] += messages
    lost.add(records.flows)
    natEvents.lost += records.events
  }
}

/// What became of NAT events.
public struct EventTotals: Hashable, Sendable {
  /// Events that the network took.
  public var sent: UInt64 = 0
  /// Events whose message could not be sent.
  public var lost: UInt64 = 0
  /// Of IPv6 in NetFlow v5.
  public var notRepresentable: UInt64 = 0
  /// Those that the destination's filter does not take.
  public var filtered: UInt64 = 0
  /// Over TCP and TLS those that wait for the Collector's acknowledgement.
  public var pending: UInt64 = 0

  public init() {}
}
