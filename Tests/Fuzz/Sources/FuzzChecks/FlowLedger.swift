// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// What tells Flows apart: the key, and of the labels that it counts label and S bit.
private struct LabelledKey: Hashable {
  let key: FlowKey
  let labels: [UInt32]

  init(_ record: FlowRecord) {
    key = record.key
    labels = (0..<Int(key.recordedLabels)).map { record.labels.section($0) & 0xffff_fff1 }
  }
}

/// Keeps account of the Flow Records that a table gives out, and traps where the sums do not add up.
public struct FlowLedger {
  /// What the records taken so far counted.
  public private(set) var taken = FlowTotals()
  private let expiration: FlowExpiration

  public init(_ expiration: FlowExpiration) { self.expiration = expiration }

  /// Takes out what has ended by `now`; each bufferful is checked and shown to `body`.
  public mutating func take(
    from table: FlowTable, at now: Timestamp, into buffer: inout FlowRecordBuffer,
    _ body: (borrowing FlowRecordBuffer) -> Void = { _ in }
  ) {
    sweep(table, at: now, everything: false, into: &buffer, body)
  }

  /// Takes out what has ended by `now`, then the active Flows, of which no two may have the same key.
  public mutating func takeEverything(
    from table: FlowTable, at now: Timestamp, into buffer: inout FlowRecordBuffer,
    _ body: (borrowing FlowRecordBuffer) -> Void = { _ in }
  ) {
    sweep(table, at: now, everything: false, into: &buffer, body)
    var keys: Set<LabelledKey> = []
    sweep(table, at: now, everything: true, into: &buffer) { records in
      for i in 0..<records.count {
        require(keys.insert(LabelledKey(records[i])).inserted, "a Flow was in the table twice")
      }
      body(records)
    }
  }

  private mutating func sweep(
    _ table: FlowTable, at now: Timestamp, everything: Bool, into buffer: inout FlowRecordBuffer,
    _ body: (borrowing FlowRecordBuffer) -> Void
  ) {
    var (sweep, more) = (FlowTableSweep(), true)
    while more {
      more = table.takeExpired(at: now, everything: everything, sweep: &sweep, into: &buffer)
      require(!more || buffer.isFull, "there is more, and there was room for it")
      for i in 0..<buffer.count { add(buffer[i], isForced: everything) }
      body(buffer)
      buffer.removeAll()
    }
  }

  private mutating func add(_ record: FlowRecord, isForced: Bool) {
    require(record.packets > 0, "a record without packets")
    require(record.labels.depth >= UInt32(record.key.recordedLabels), "more labels than the stack had")
    // The fuzzer makes the one of the other; both are of the first packet.
    let port = record.detail.egressPhysicalInterface
    require(port == 0 || port == record.egressInterface, "a Flow has the detail of another")
    // Wrapping: a capture may hold any time.
    let lasted = record.end.milliseconds &- record.start.milliseconds
    require(lasted >= 0, "a Flow that ends before it begins")
    require(lasted < expiration.activeTimeout.components.seconds * 1000, "a record beyond the active timeout")
    require((1...5).contains(record.endReason.rawValue), "an end reason that is none")
    require(isForced || record.endReason != .forcedEnd, "a Flow ended by force, and none was used")
    taken.add(FlowTotals(flows: 1, packets: record.packets, octets: record.octets))
  }

  /// Every packet that the source handed over is accounted for.
  public static func check(_ statistics: MeteringStatistics, waitingFragments: Int) {
    require(
      statistics.observedPackets == statistics.meteredPackets + statistics.ownPackets
        + statistics.unmeteredPackets + UInt64(waitingFragments),
      "packets are missing from the metering statistics")
    require(
      statistics.completedFragments + statistics.orphanedFragments <= statistics.meteredPackets,
      "more fragments than packets")
  }

  /// All that was metered has left the table: taken or counted as lost.
  public func checkEmptied(_ table: FlowTable, metered statistics: MeteringStatistics) {
    let tableStatistics = table.statistics
    require(tableStatistics.active == 0, "everything was taken, and Flows are active")
    var sum = taken
    sum.add(tableStatistics.lost)
    require(sum.flows == tableStatistics.created, "Flow Records are missing")
    require(sum.packets == statistics.meteredPackets, "packets are missing from the Flow Records")
    require(sum.octets == statistics.meteredOctets, "octets are missing from the Flow Records")
  }
}
