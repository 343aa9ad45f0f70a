// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// What messages carry: Flow Records, with what they count, and NAT events.
public struct RecordTotals: Hashable, Sendable {
  /// Flow Records.
  public var flows = FlowTotals()
  /// NAT events.
  public var events: UInt64 = 0

  public init() {}

  mutating func add(_ other: RecordTotals) {
    flows.add(other.flows)
    events &+= other.events
  }

  /// Takes others away again, which were added.
  mutating func remove(_ other: RecordTotals) {
    flows.remove(other.flows)
    events &-= other.events
  }
}

extension MessageBatch.Contents {
  var totals: RecordTotals {
    var totals = RecordTotals()
    (totals.flows, totals.events) = (flows, events)
    return totals
  }
}
