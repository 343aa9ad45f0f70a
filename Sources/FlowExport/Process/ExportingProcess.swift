// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// What takes the Flow Records that leave the table, and NAT events: a Collector's exporter, a printer.
///
/// All but the one that takes records may be left out: they then do nothing.
public protocol FlowRecordConsumer: AnyObject {
  /// A pass begins: time for what is due without records.
  func begin(at instant: ExportInstant)

  /// Takes records; they are gone when it returns.
  func consume(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant)

  /// Takes NAT events.
  func consume(_ events: [NATEvent], at instant: ExportInstant)

  /// Sends what is pending.
  func flush(at instant: ExportInstant)
}

extension FlowRecordConsumer {
  /// Nothing is due without records.
  public func begin(at instant: ExportInstant) {}
  /// NAT events are left aside.
  public func consume(_ events: [NATEvent], at instant: ExportInstant) {}
  /// Nothing is kept back.
  public func flush(at instant: ExportInstant) {}
}

/// An Exporting Process (RFC 5470 section 5.4): empties the table of what has ended, and hands it to every consumer;
/// NAT events after the records of the same pass.
///
/// Not thread-safe: one thread calls it, a few times a second while packets come, or between two batches where packets
/// come from a file.
public final class ExportingProcess {
  /// The table that is emptied. All of these may be replaced between two passes; who replaces the table takes everything
  /// out of it first.
  public var table: FlowTable
  /// Each is given all records.
  public var consumers: [any FlowRecordConsumer]
  /// Completes the records of translated connections; nil leaves them as they are.
  public var translations: NATTable?
  /// Events that are exported beside the records; nil: none.
  public var natEvents: NATEventLog?
  private var buffer = FlowRecordBuffer()
  private var events: [NATEvent] = []
  /// Under which index an interface is exported, by its own; default: under its own. See ``InterfaceIndexRules``.
  public var interfaceIndexes: [UInt32: UInt32] = [:]

  public init(
    table: FlowTable, consumers: [any FlowRecordConsumer] = [], translations: NATTable? = nil,
    natEvents: NATEventLog? = nil
  ) {
    self.table = table
    self.consumers = consumers
    self.translations = translations
    self.natEvents = natEvents
  }

  /// Exports the Flows that have ended by `instant`.
  ///
  /// - Parameters:
  ///   - instant: now, on the clock of the table.
  ///   - everything: ends the active ones too (reason 4).
  ///   - flush: sends what does not fill a message too; without it records may wait for the next pass.
  /// - Returns: how many Flow Records there were.
  @discardableResult
  public func export(at instant: ExportInstant, everything: Bool = false, flush: Bool = true) -> Int {
    var count = 0
    for consumer in consumers { consumer.begin(at: instant) }
    var (sweep, more) = (FlowTableSweep(), true)
    while more {
      more = table.takeExpired(at: instant.now, everything: everything, sweep: &sweep, into: &buffer)
      guard buffer.count > 0 else { continue }
      count += buffer.count
      translations?.annotate(&buffer)
      if !interfaceIndexes.isEmpty {
        for i in 0..<buffer.count { buffer[i].renumberInterfaces(interfaceIndexes) }
      }
      for consumer in consumers { consumer.consume(buffer, at: instant) }
      buffer.removeAll()
    }
    if let natEvents {
      natEvents.take(into: &events)
      for consumer in consumers { consumer.consume(events, at: instant) }
    }
    if flush { for consumer in consumers { consumer.flush(at: instant) } }
    return count
  }
}
