// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws, logs or reads a clock.
//
// Unsafe: turns references into pointers; see FlowStore.swift for what holds.

/// A slot of one of the two families; the highest bit says IPv6. 0 is no slot.
struct SlotReference: RawRepresentable, Equatable {
  var rawValue: UInt32

  static let ipv6Bit: UInt32 = 1 << 31
  static let none = SlotReference(rawValue: 0)

  var isIPv6: Bool { rawValue & Self.ipv6Bit != 0 }
  var number: Int { Int(rawValue & ~Self.ipv6Bit) }
}

/// Where the slots, links, details and labels of one IP version lie.
@unsafe struct SlotFamily {
  let pool: SlotPool
  let base: UnsafeMutableRawPointer
  let next: UnsafeMutablePointer<UInt32>
  let details: UnsafeMutablePointer<PacketDetail>
  let labels: UnsafeMutablePointer<MPLSLabelStack>

  init(_ pool: SlotPool) {
    unsafe self.pool = pool
    unsafe base = pool.base
    unsafe next = pool.next
    unsafe details = pool.details
    unsafe labels = pool.labels
  }
}

/// The slots that a stripe has and does not use.
struct FreeSlots {
  /// Freed ones, linked; the last freed comes first, as it is the likeliest to be in the cache.
  var head: UInt32 = 0
  /// Claimed ones that were never used.
  var fresh: Range<UInt32> = 0..<0
}

/// A queue of slots through their links.
struct FlowChain {
  var first = SlotReference.none
  var last = SlotReference.none
  var count = 0
}

extension FlowStore {
  @inline(__always)
  func slot(_ reference: SlotReference) -> UnsafeMutablePointer<FlowSlot> {
    unsafe reference.isIPv6
      ? (ipv6.base + reference.number * MemoryLayout<FlowSlotIPv6>.stride)
        .assumingMemoryBound(to: FlowSlot.self)
      : (ipv4.base + reference.number * MemoryLayout<FlowSlot>.stride)
        .assumingMemoryBound(to: FlowSlot.self)
  }

  /// The link of a slot: the next one in its chain.
  @inline(__always)
  func next(_ reference: SlotReference) -> UnsafeMutablePointer<UInt32> {
    unsafe (reference.isIPv6 ? ipv6.next : ipv4.next) + reference.number
  }

  /// Where the detail of a slot's Flow stands, if it has one.
  @inline(__always)
  func detail(_ reference: SlotReference) -> UnsafeMutablePointer<PacketDetail> {
    unsafe (reference.isIPv6 ? ipv6.details : ipv4.details) + reference.number
  }

  /// Where the labels of a slot's Flow stand, if it has some.
  @inline(__always)
  func labels(_ reference: SlotReference) -> UnsafeMutablePointer<MPLSLabelStack> {
    unsafe (reference.isIPv6 ? ipv6.labels : ipv4.labels) + reference.number
  }

  /// A slot to write a Flow into.
  @inline(__always)
  mutating func allocate(isIPv6: Bool) -> SlotReference {
    unsafe isIPv6
      ? SlotReference(rawValue: Self.take(&freeIPv6, ipv6) | SlotReference.ipv6Bit)
      : SlotReference(rawValue: Self.take(&freeIPv4, ipv4))
  }

  @inline(__always)
  private static func take(_ free: inout FreeSlots, _ family: SlotFamily) -> UInt32 {
    if free.head != 0 {
      let number = free.head
      unsafe free.head = family.next[Int(number)]
      return number
    }
    if free.fresh.isEmpty { free.fresh = unsafe family.pool.claim() }
    let number = free.fresh.lowerBound
    free.fresh = number &+ 1..<free.fresh.upperBound
    return number
  }

  mutating func release(_ reference: SlotReference) {
    let number = UInt32(reference.number)
    if reference.isIPv6 {
      unsafe ipv6.next[reference.number] = freeIPv6.head
      freeIPv6.head = number
    } else {
      unsafe ipv4.next[reference.number] = freeIPv4.head
      freeIPv4.head = number
    }
  }

  /// Copies a Flow with its addresses, its detail and its labels.
  func copy(_ source: SlotReference, to target: SlotReference) {
    let (from, to) = unsafe (slot(source), slot(target))
    unsafe to.initialize(to: from.pointee)
    if unsafe from.pointee.hasDetail { unsafe detail(target).initialize(to: detail(source).pointee) }
    if unsafe from.pointee.isLabelled { unsafe labels(target).initialize(to: labels(source).pointee) }
    guard target.isIPv6 else { return }
    unsafe to.withMemoryRebound(to: FlowSlotIPv6.self, capacity: 1) { to in
      unsafe from.withMemoryRebound(to: FlowSlotIPv6.self, capacity: 1) { from in
        unsafe (to.pointee.source, to.pointee.destination) = (from.pointee.source, from.pointee.destination)
      }
    }
  }

  func addresses(of slot: UnsafeMutablePointer<FlowSlot>) -> (source: IPAddress, destination: IPAddress)? {
    guard unsafe slot.pointee.isIPv6 else { return nil }
    return unsafe slot.withMemoryRebound(to: FlowSlotIPv6.self, capacity: 1) {
      unsafe ($0.pointee.source, $0.pointee.destination)
    }
  }

  /// The hash of the Flow in a slot: the same as its packets'.
  @inline(__always)
  func hash(of reference: SlotReference, _ slot: UnsafeMutablePointer<FlowSlot>) -> UInt64 {
    switch unsafe slot.pointee.form {
    case .ipv4: unsafe hashIPv4(slot)
    case .ipv6: unsafe hashIPv6(slot)
    case .labelled: unsafe hashLabelled(reference, slot)
    }
  }

  @inline(never)
  private func hashLabelled(_ reference: SlotReference, _ slot: UnsafeMutablePointer<FlowSlot>) -> UInt64 {
    let unlabelled = unsafe reference.isIPv6 ? hashIPv6(slot) : hashIPv4(slot)
    return unsafe hash.hash(unlabelled, labels(reference).pointee)
  }

  @inline(__always)
  private func hashIPv4(_ slot: UnsafeMutablePointer<FlowSlot>) -> UInt64 {
    unsafe hash.hash(slot.pointee.addresses, slot.pointee.transport, slot.pointee.link)
  }

  @inline(__always)
  private func hashIPv6(_ slot: UnsafeMutablePointer<FlowSlot>) -> UInt64 {
    unsafe slot.withMemoryRebound(to: FlowSlotIPv6.self, capacity: 1) {
      unsafe hash.hash(
        $0.pointee.source.high, $0.pointee.source.low, $0.pointee.destination.high,
        $0.pointee.destination.low, $0.pointee.slot.transport, $0.pointee.slot.link)
    }
  }

  /// A Flow is active no longer.
  mutating func removeFromIndex(_ reference: SlotReference, hash: UInt64) {
    index.remove(reference, hash: hash)
    statistics.active &-= 1
  }
}
