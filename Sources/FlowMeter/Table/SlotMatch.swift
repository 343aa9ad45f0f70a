// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws, logs or reads a clock.
//
// Unsafe: reads and writes slots and what stands beside them; see FlowStore.swift for what holds.

/// The key of an observation, as slots hold it.
protocol SlotMatch {
  var isIPv6: Bool { get }

  /// Whether a slot holds the observation's Flow.
  func matches(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) -> Bool

  /// Writes what of the key has no room in the slot itself.
  func complete(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference)
}

struct IPv4Match: SlotMatch {
  let addresses, transport, link: UInt64

  @inline(__always)
  init(_ key: borrowing FlowKey, _ transport: UInt64, _ link: UInt64) {
    addresses = key.ipv4Word
    (self.transport, self.link) = (transport, link)
  }

  var isIPv6: Bool { false }

  @inline(__always)
  func matches(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) -> Bool {
    unsafe (slot.pointee.addresses ^ addresses) | (slot.pointee.transport ^ transport)
      | (slot.pointee.link ^ link) == 0
  }

  @inline(__always)
  func complete(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) {}
}

struct IPv6Match: SlotMatch {
  let source, destination: IPAddress
  let transport, link: UInt64

  @inline(__always)
  init(_ key: borrowing FlowKey, _ transport: UInt64, _ link: UInt64) {
    (source, destination) = (key.source, key.destination)
    (self.transport, self.link) = (transport, link)
  }

  var isIPv6: Bool { true }

  /// The transport word holds the version, so an IPv4 slot is told apart before its (absent) addresses are read.
  @inline(__always)
  func matches(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) -> Bool {
    guard unsafe (slot.pointee.transport ^ transport) | (slot.pointee.link ^ link) == 0 else { return false }
    return unsafe slot.withMemoryRebound(to: FlowSlotIPv6.self, capacity: 1) {
      unsafe $0.pointee.source == source && $0.pointee.destination == destination
    }
  }

  @inline(__always)
  func complete(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) {
    unsafe slot.withMemoryRebound(to: FlowSlotIPv6.self, capacity: 1) {
      unsafe ($0.pointee.source, $0.pointee.destination) = (source, destination)
    }
  }
}

/// A key with labels. The transport word holds their number, so no slot without labels matches.
@unsafe struct LabelledMatch<Unlabelled: SlotMatch>: SlotMatch {
  let unlabelled: Unlabelled
  let labels: MPLSLabelStack
  /// Those of the Flows of this IP version.
  let kept: UnsafeMutablePointer<MPLSLabelStack>

  @inline(__always)
  init(_ unlabelled: Unlabelled, _ labels: MPLSLabelStack, _ kept: UnsafeMutablePointer<MPLSLabelStack>) {
    unsafe (self.unlabelled, self.labels, self.kept) = unsafe (unlabelled, labels, kept)
  }

  @inline(__always)
  var isIPv6: Bool { unsafe unlabelled.isIPv6 }

  @inline(__always)
  func matches(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) -> Bool {
    unsafe unlabelled.matches(slot, reference) && kept[reference.number].isSamePath(as: labels)
  }

  @inline(__always)
  func complete(_ slot: UnsafeMutablePointer<FlowSlot>, _ reference: SlotReference) {
    unsafe unlabelled.complete(slot, reference)
    unsafe (kept + reference.number).initialize(to: labels)
  }
}
