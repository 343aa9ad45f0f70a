// SPDX-License-Identifier: Apache-2.0

/// How much room a ``FlowTable`` has for how many Flows.
struct FlowTableLayout {
  let stripeBits: Int
  /// How many Flows of a stripe may be active.
  let capacity: Int
  /// How many ended Flows of a stripe may wait: two of the largest batches at the least, so that a reader who drains the
  /// table whenever it is crowded never loses one.
  let patience: Int
  /// The longest index of a stripe. Places.
  let indexLength: Int

  init(maxFlows: Int) {
    // A stripe of fewer than 256 Flows would evict by its own bad luck long before the table is full.
    var stripeBits = 0
    while stripeBits < 4, maxFlows >> (stripeBits + 1) >= 256 { stripeBits += 1 }
    let capacity = maxFlows >> stripeBits
    var indexLength = FlowIndex.smallestLength
    while (capacity + 1) * 8 > indexLength * 5 { indexLength *= 2 }
    (self.stripeBits, self.capacity, self.indexLength) = (stripeBits, capacity, indexLength)
    patience = max(2 * PacketBatch.mostPackets, capacity / 8)
  }

  var stripeCount: Int { 1 << stripeBits }
}

extension FlowTable {
  /// The memory of a table that is full: of all Flows that may be active, and of the ended ones that may wait. Bytes.
  ///
  /// - Parameters:
  ///   - configuration: the table's.
  ///   - version: of all Flows; tables of both take what is in between.
  ///   - hasDetails: whether Flows have a ``PacketDetail``.
  ///   - hasLabels: whether Flows have MPLS labels.
  public static func mostMemory(
    _ configuration: Configuration, _ version: IPVersion, hasDetails: Bool, hasLabels: Bool = false
  ) -> Int {
    let layout = FlowTableLayout(maxFlows: configuration.maxFlows)
    let stride = version == .v4 ? MemoryLayout<FlowSlot>.stride : MemoryLayout<FlowSlotIPv6>.stride
    let flow = SlotPool.memory(stride: stride, hasDetails: hasDetails, hasLabels: hasLabels)
    let stripe = layout.indexLength * MemoryLayout<UInt64>.stride + (layout.capacity + layout.patience) * flow
    return layout.stripeCount * stripe
  }
}
