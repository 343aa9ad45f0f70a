// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: walks chains of slots; see FlowStore.swift for what holds.

internal import CShims

extension FlowStore {
  /// Puts a Flow into the bucket of its deadline.
  @inline(__always)
  mutating func enqueue(_ reference: SlotReference, deadline: Int64) {
    let tick = wheel.tick(forDeadline: deadline)
    unsafe next(reference).pointee = wheel[tick].rawValue
    wheel[tick] = reference
  }

  /// Makes room for one Flow: the one nearest to its end leaves (RFC 5470 section 5.1.1 case 4, reason 5).
  @inline(never)
  mutating func evict() {
    while wheel.advance(before: nil) {
      guard let tick = wheel.cursor else { return }
      let reference = popBucket(tick)
      let slot = unsafe slot(reference)
      let deadline = unsafe expiration.deadline(of: slot.pointee)
      let later = wheel.tick(forDeadline: deadline)
      if later > tick {
        enqueue(reference, deadline: deadline)
        continue
      }
      removeFromIndex(reference, hash: unsafe hash(of: slot))
      statistics.evicted &+= 1
      if ended.count < patience {
        append(toEnded: reference, .lackOfResources)
      } else {
        countLoss(unsafe slot.pointee)
        release(reference)
      }
      prefetchNextVictims(wheel[tick])
      return
    }
  }

  /// In a flood a stripe evicts with every packet: asks for the index entry of the next one to go, whose slot the last
  /// call asked for, and for the slot of the one behind it.
  private func prefetchNextVictims(_ first: SlotReference) {
    guard first != .none else { return }
    let hash = unsafe hash(of: slot(first))
    unsafe cshims_prefetch(index + Int(UInt64(UInt32(truncatingIfNeeded: hash)) & mask))
    let second = unsafe SlotReference(rawValue: next(first).pointee)
    if second != .none { unsafe cshims_prefetch(slot(second)) }
  }

  private mutating func popBucket(_ tick: Int64) -> SlotReference {
    let reference = wheel[tick]
    unsafe wheel[tick] = SlotReference(rawValue: next(reference).pointee)
    return reference
  }

  mutating func append(toEnded reference: SlotReference, _ reason: FlowEndReason) {
    unsafe slot(reference).pointee.endReason = reason.rawValue
    unsafe next(reference).pointee = SlotReference.none.rawValue
    if ended.count == 0 {
      ended.first = reference
    } else {
      unsafe next(ended.last).pointee = reference.rawValue
    }
    ended.last = reference
    ended.count += 1
  }

  mutating func countLoss(_ slot: borrowing FlowSlot) {
    statistics.lost.flows &+= 1
    statistics.lost.packets &+= UInt64(slot.packets)
    statistics.lost.octets &+= slot.octets
  }

  /// Moves Flows that have ended into `buffer`, as many as fit.
  ///
  /// - Parameter now: the time that deadlines are held against; nil takes every Flow (reason 4 where it has not ended
  ///   by itself).
  /// - Returns: whether there may be more.
  mutating func takeExpired(at now: Timestamp, everything: Bool, into buffer: inout FlowRecordBuffer) -> Bool {
    while ended.count > 0 {
      guard !buffer.isFull else { return true }
      let reference = ended.first
      unsafe ended.first = SlotReference(rawValue: next(reference).pointee)
      ended.count -= 1
      let slot = unsafe slot(reference)
      unsafe report(reference, slot, FlowEndReason(rawValue: slot.pointee.endReason), into: &buffer)
    }
    // A bucket is due when the last moment of its tick has passed.
    let end = everything ? nil : FlowWheel.tick(now.milliseconds)
    while wheel.advance(before: end) {
      guard let tick = wheel.cursor else { break }
      while wheel[tick] != .none {
        guard !buffer.isFull else { return true }
        takeFromBucket(tick, now, everything, into: &buffer)
      }
    }
    return false
  }

  /// Takes up to `group` Flows from a bucket. Their slots, then their index entries, are asked for before the first is
  /// looked at: the memory's latency is paid once a group.
  private mutating func takeFromBucket(
    _ tick: Int64, _ now: Timestamp, _ everything: Bool, into buffer: inout FlowRecordBuffer
  ) {
    let group = min(32, buffer.capacity - buffer.count)
    unsafe withUnsafeTemporaryAllocation(of: SlotReference.self, capacity: group) { references in
      var count = 0
      var next = wheel[tick]
      while next != .none, count < group {
        unsafe references[count] = next
        unsafe cshims_prefetch(slot(next))
        count += 1
        unsafe next = SlotReference(rawValue: self.next(next).pointee)
      }
      wheel[tick] = next
      unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { hashes in
        for i in 0..<count {
          unsafe hashes[i] = hash(of: slot(references[i]))
          unsafe cshims_prefetch(index + Int(UInt64(UInt32(truncatingIfNeeded: hashes[i])) & mask))
        }
        for i in 0..<count {
          unsafe take(references[i], hash: hashes[i], now, everything, into: &buffer)
        }
      }
    }
  }

  @inline(__always)
  private mutating func take(
    _ reference: SlotReference, hash: UInt64, _ now: Timestamp, _ everything: Bool,
    into buffer: inout FlowRecordBuffer
  ) {
    let slot = unsafe slot(reference)
    let deadline = unsafe expiration.deadline(of: slot.pointee)
    let isDue = deadline <= now.milliseconds
    guard isDue || everything else {
      enqueue(reference, deadline: deadline)
      return
    }
    removeFromIndex(reference, hash: hash)
    unsafe report(
      reference, slot, isDue ? expiration.reason(slot.pointee) : .forcedEnd, into: &buffer)
  }

  private mutating func report(
    _ reference: SlotReference, _ slot: UnsafeMutablePointer<FlowSlot>, _ reason: FlowEndReason,
    into buffer: inout FlowRecordBuffer
  ) {
    unsafe buffer.append(slot.pointee.record(addresses: addresses(of: slot), reason))
    release(reference)
  }
}
