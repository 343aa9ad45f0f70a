// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What waits for a Collector to acknowledge it, and how it went: of destinations over TCP and TLS.
///
/// All that waits is in ``ExportStatistics/pending`` too.
public struct DeliveryStatistics: Sendable {
  /// What is in memory alone.
  public var queued = RecordTotals()
  /// Octets of the messages that wait in memory; of those of an earlier run, half of the capacity at most.
  public var queueOctets = 0
  /// The most that it was.
  public var queuePeak = 0
  /// What it can be.
  public var queueCapacity = 0
  /// Connections that came to be.
  public var connections: UInt64 = 0
  /// Messages that were sent once more, since the connection broke before the Collector had surely read them.
  public var resentMessages: UInt64 = 0
  /// Nil where there is no spool.
  public var spool: SpoolStatistics?

  public init() {}

  mutating func add(_ other: DeliveryStatistics) {
    connections += other.connections
    resentMessages += other.resentMessages
    guard let others = other.spool else { return }
    var sum = spool ?? SpoolStatistics()
    sum.found.add(others.found)
    sum.written.add(others.written)
    sum.sent.add(others.sent)
    sum.failures += others.failures
    sum.unreadable += others.unreadable
    spool = sum
  }
}

/// What a spool holds, and what came of it.
public struct SpoolStatistics: Sendable {
  /// What waits in it.
  public var waiting = RecordTotals()
  /// Octets of its files.
  public var octets = 0
  /// What they can be.
  public var capacity = 0
  /// What an earlier flowprobe had left in it: nobody has given it to this one.
  public var found = RecordTotals()
  /// What was written to it.
  public var written = RecordTotals()
  /// What was sent from it.
  public var sent = RecordTotals()
  /// How often writing to it failed, or reading what was written, or removing it.
  public var failures: UInt64 = 0
  /// Files with something in them that is no message: what a crash tore is cut off.
  public var unreadable: UInt64 = 0

  public init() {}
}
