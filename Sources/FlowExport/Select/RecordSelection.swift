// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What of the records a destination's filter takes. Belongs to the exporting thread.
final class RecordSelection {
  private let filter: FlowFilter
  private var packet = SyntheticPacket()
  private var chosen = FlowRecordBuffer()

  init(_ filter: FlowFilter) { self.filter = filter }

  /// Hands those that match to `consume`, a buffer at a time, and counts the others.
  func choose(
    from records: borrowing FlowRecordBuffer, filtered: inout FlowTotals,
    _ consume: (borrowing FlowRecordBuffer) -> Void
  ) {
    for i in 0..<records.count {
      packet.describe(records[i])
      if packet.isMatched(by: filter) {
        chosen.append(records[i])
      } else {
        filtered.add(FlowTotals(flows: 1, packets: records[i].packets, octets: records[i].octets))
      }
      if chosen.isFull { hand(to: consume) }
    }
    if chosen.count > 0 { hand(to: consume) }
  }

  private func hand(to consume: (borrowing FlowRecordBuffer) -> Void) {
    consume(chosen)
    chosen.removeAll()
  }

  /// Those of the events that match; the others are counted.
  func choose(from events: [NATEvent], filtered: inout UInt64) -> [NATEvent] {
    let chosen = events.filter {
      packet.describe($0)
      return packet.isMatched(by: filter)
    }
    filtered += UInt64(events.count - chosen.count)
    return chosen
  }
}
