// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads all of a stripe's memory; see FlowStore.swift for what holds.

extension FlowStore {
  /// Traps unless index, wheel, ended list and free lists agree. For tests; looks at every Flow.
  func assertInvariants() {
    var indexed: Set<UInt32> = []
    for position in 0..<index.end where index[position] != 0 {
      let entry = index[position]
      let reference = FlowIndex.reference(entry)
      precondition(indexed.insert(reference.rawValue).inserted, "a slot has two index entries")
      let hash = unsafe hash(of: reference, slot(reference))
      precondition(FlowIndex.tag(ofEntry: entry) == FlowIndex.tag(hash), "an entry's tag is not its Flow's")
      precondition(unsafe slot(reference).pointee.isIPv6 == reference.isIPv6, "a slot is of the other family")
      for probe in index.shape.home(of: FlowIndex.tag(hash))..<position {
        precondition(index[probe] != 0, "a probe for an entry ends before it")
      }
    }
    precondition(indexed.count == statistics.active, "the index has not as many entries as there are Flows")
    precondition(statistics.active <= capacity, "more Flows than the stripe may hold")

    var onWheel: Set<UInt32> = []
    for bucket in 0..<wheel.bucketCount {
      var reference = wheel[bucket]
      while reference != .none {
        precondition(onWheel.insert(reference.rawValue).inserted, "a Flow stands on the wheel twice")
        unsafe reference = SlotReference(rawValue: next(reference).pointee)
      }
    }
    var pending = due
    while pending != .none {
      precondition(onWheel.insert(pending.rawValue).inserted, "a due Flow stands on the wheel too")
      unsafe pending = SlotReference(rawValue: next(pending).pointee)
    }
    precondition(onWheel == indexed, "wheel and index hold different Flows")

    var waiting: Set<UInt32> = []
    var reference = ended.first
    for _ in 0..<ended.count {
      precondition(waiting.insert(reference.rawValue).inserted, "a Flow stands in the ended list twice")
      unsafe reference = SlotReference(rawValue: next(reference).pointee)
    }
    precondition(waiting.isDisjoint(with: indexed), "an ended Flow is still active")
    precondition(ended.count <= patience, "more ended Flows than may wait")
    let used = indexed.union(waiting)
    for reference in used.map(SlotReference.init(rawValue:)) where unsafe slot(reference).pointee.hasDetail {
      precondition(unsafe !detail(reference).pointee.isEmpty, "a Flow's detail was not kept")
    }
    unsafe assertUnused(freeIPv4, ipv4, 0, used)
    unsafe assertUnused(freeIPv6, ipv6, SlotReference.ipv6Bit, used)
  }

  private func assertUnused(_ free: FreeSlots, _ family: SlotFamily, _ bit: UInt32, _ used: Set<UInt32>) {
    var number = free.head
    while number != 0 {
      precondition(!used.contains(number | bit), "a free slot is in use")
      unsafe number = family.next[Int(number)]
    }
  }
}
