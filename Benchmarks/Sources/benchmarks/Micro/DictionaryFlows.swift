// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Swift's Dictionary by Flow Key, as one would write it first.
struct DictionaryFlows {
  /// What the table keeps of a flow beside its key.
  private struct Counters {
    var packets: UInt64 = 0
    var octets: UInt64 = 0
    var start: Timestamp
    var end: Timestamp
    var egressInterface: UInt32
    var tcpOptions: UInt32 = 0
    var ipOptions: UInt32 = 0
    var tcpControlBits: UInt8 = 0

    init(_ observation: borrowing PacketObservation) {
      (start, end) = (observation.time, observation.time)
      egressInterface = observation.egressInterface
    }

    /// Adds a packet; true for the first one.
    mutating func add(_ observation: borrowing PacketObservation) -> Bool {
      packets &+= 1
      octets &+= UInt64(observation.octets)
      end = max(end, observation.time)
      tcpOptions |= observation.tcpOptions
      ipOptions |= observation.ipOptions
      tcpControlBits |= observation.tcpControlBits
      return packets == 1
    }

    var totals: FlowTotals { FlowTotals(flows: 1, packets: packets, octets: octets) }

    func hasEnded(by now: Timestamp) -> Bool {
      now >= end.advanced(byMilliseconds: Timeouts.inactive * 1000)
        || now >= start.advanced(byMilliseconds: Timeouts.active * 1000)
    }
  }

  private var flows: [FlowKey: Counters] = [:]
  private let limit: Int?
  /// With a limit: the flows in the order in which they began, as a ring.
  private var order: [FlowKey] = []
  private var oldest = 0
  private(set) var evicted = FlowTotals()

  init(limit: Int?) { self.limit = limit }

  mutating func update(_ batch: borrowing PacketBatch) {
    for i in 0..<batch.count { add(batch[i]) }
  }

  private mutating func add(_ observation: PacketObservation) {
    let isNew = flows[observation.key, default: Counters(observation)].add(observation)
    if isNew, let limit { remember(observation.key, limit) }
  }

  private mutating func remember(_ key: FlowKey, _ limit: Int) {
    guard order.count == limit else {
      order.append(key)
      return
    }
    if let counters = flows.removeValue(forKey: order[oldest]) { evicted.add(counters.totals) }
    order[oldest] = key
    oldest = oldest + 1 == limit ? 0 : oldest + 1
  }

  mutating func takeExpired(at now: Timestamp, everything: Bool) -> FlowTotals {
    var totals = FlowTotals()
    if everything {
      for counters in flows.values { totals.add(counters.totals) }
      flows.removeAll(keepingCapacity: true)
      order.removeAll(keepingCapacity: true)
      oldest = 0
      return totals
    }
    var ended: [FlowKey] = []
    for (key, counters) in flows where counters.hasEnded(by: now) { ended.append(key) }
    for key in ended {
      if let counters = flows.removeValue(forKey: key) { totals.add(counters.totals) }
    }
    return totals
  }
}
