// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Turns records into messages of one protocol for one destination: it has the sequence number and the templates.
///
/// Not thread-safe. Whoever appends empties the batch when it is full; ``MessageBatch/isFull`` leaves room for what one
/// append can add.
protocol MessageEncoder: AnyObject {
  /// The largest message, in octets. A smaller one holds for records that are appended from then on: flush those that
  /// wait first.
  var messageLimit: Int { get set }

  /// The sequence number of the next message.
  var sequence: UInt32 { get set }

  /// How many templates have been made.
  var templateCount: Int { get }

  /// Flow Records that wait for their message to fill.
  var pending: FlowTotals { get }

  /// Adds Flow Records from `next` on, until none is left or the batch is full; a message that is full goes to the
  /// batch.
  ///
  /// - Parameters:
  ///   - next: the record to begin with; afterwards the first that was not looked at.
  ///   - rejected: counts those that the protocol has no place for: IPv6 in NetFlow v5.
  func append(
    _ records: borrowing FlowRecordBuffer, from next: inout Int, at instant: ExportInstant,
    to batch: inout MessageBatch, rejected: inout FlowTotals)

  /// Adds NAT events in the same way.
  ///
  /// - Parameter rejected: counts those that the protocol has no place for: of IPv6 in NetFlow v5.
  func append(
    _ events: [NATEvent], from next: inout Int, at instant: ExportInstant, to batch: inout MessageBatch,
    rejected: inout UInt64)

  /// Brings what is pending into messages, as few as it takes, until the batch is full.
  ///
  /// - Returns: whether nothing is pending any more; else empty the batch and call again.
  func flush(at instant: ExportInstant, to batch: inout MessageBatch) -> Bool

  /// Adds options records, in messages of their own; none of a kind that has no template. NetFlow v5 has none.
  func append(
    _ kind: OptionsKind, _ records: [ExporterOptions], at instant: ExportInstant, to batch: inout MessageBatch)

  /// Sends every template, at the start and after the collector was lost; those of options first, and what the batch
  /// has no room for ahead of the next data. NetFlow v5 has none.
  func sendTemplates(at instant: ExportInstant, to batch: inout MessageBatch)

  /// Whether the refresh rules call for the templates.
  func templatesAreDue(at instant: ExportInstant) -> Bool
}
