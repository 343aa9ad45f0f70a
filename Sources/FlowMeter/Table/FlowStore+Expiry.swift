// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: walks chains of slots; see FlowStore.swift for what holds.

internal import CShims

extension FlowStore {
  /// Puts a Flow into the bucket of its deadline.
  @inline(__always)
  mutating func enqueue(_ reference: SlotReference, deadline: Int64) {
    let behind = wheel.push(reference, to: wheel.tick(forDeadline: deadline))
    unsafe next(reference).pointee = behind.rawValue
  }

  /// Makes room for one Flow: the one nearest to its end leaves (RFC 5470 section 5.1.1 case 4, reason 5).
  ///
  /// Flows that have had packets since they were put where they are found move on, a bounded number of them: then the
  /// next one leaves, whenever its end would be.
  @inline(never)
  mutating func evict() {
    var moves = 0
    while let reference = popNearest() {
      let slot = unsafe slot(reference)
      let deadline = unsafe expiration.deadline(of: slot.pointee)
      if moves < Self.mostMoves, let cursor = wheel.cursor, FlowWheel.tick(deadline) > cursor {
        enqueue(reference, deadline: deadline)
        moves += 1
        continue
      }
      unsafe removeFromIndex(reference, hash: hash(of: reference, slot))
      statistics.evicted &+= 1
      if ended.count < patience {
        append(toEnded: reference, .lackOfResources)
      } else {
        unsafe countLoss(slot.pointee)
        release(reference)
      }
      prefetchNextVictims(wheel.cursor.map { wheel[$0] } ?? .none)
      return
    }
  }

  private static let mostMoves = 64

  /// Takes off the Flow that was put down as the next to end.
  private mutating func popNearest() -> SlotReference? {
    if due != .none {
      let reference = due
      unsafe due = SlotReference(rawValue: next(reference).pointee)
      return reference
    }
    guard wheel.advance(before: nil), let tick = wheel.cursor else { return nil }
    let reference = wheel[tick]
    unsafe wheel[tick] = SlotReference(rawValue: next(reference).pointee)
    return reference
  }

  /// In a flood a stripe evicts with every packet: asks for the index entry of the next one to go, whose slot the last
  /// call asked for, and for the slot of the one behind it.
  private func prefetchNextVictims(_ first: SlotReference) {
    guard first != .none else { return }
    let hash = unsafe hash(of: first, slot(first))
    index.prefetch(hash)
    let second = unsafe SlotReference(rawValue: next(first).pointee)
    if second != .none { unsafe cshims_prefetch(slot(second)) }
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

  /// Counts a Flow that does not come to the exporter; no loss is one that it would not have been given.
  mutating func countLoss(_ slot: borrowing FlowSlot) {
    if slot.isLeftOut { statistics.leftOut.add(slot.totals) } else { statistics.lost.add(slot.totals) }
  }

  /// How many Flows whose bucket is due are looked at under one lock, whether they have ended or not.
  static let mostLooks = 256

  /// Moves Flows that have ended into `buffer`, as many as fit, and as one lock may be held for.
  ///
  /// - Parameters:
  ///   - now: the time that deadlines are held against.
  ///   - everything: takes every Flow (reason 4 where it has not ended by itself).
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
    let end = FlowWheel.tick(now.milliseconds)
    var looks = 0
    repeat {
      while due != .none {
        guard !buffer.isFull, looks < Self.mostLooks else { return true }
        looks += takeDue(now, everything, into: &buffer)
      }
    } while everything ? gatherAll() : gather(before: end)
    return false
  }

  /// Makes the Flows of the next bucket before `end` the due ones. False where there are none.
  private mutating func gather(before end: Int64) -> Bool {
    if wheel.isOverrun(by: end) {
      // Bucket by bucket, a Flow of the far future would be met again and again.
      let hasFlows = gatherAll()
      wheel.jump(to: end)
      return hasFlows
    }
    guard wheel.advance(before: end), let tick = wheel.cursor else { return false }
    due = wheel.take(tick).first
    return true
  }

  /// Makes all Flows the due ones. False where there are none.
  private mutating func gatherAll() -> Bool {
    for bucket in 0..<wheel.bucketCount where wheel[bucket] != .none {
      let chain = wheel.take(bucket)
      unsafe next(chain.last).pointee = due.rawValue
      due = chain.first
    }
    return due != .none
  }

  /// Holds all Flows to other timeouts: they are looked at when ended ones are taken next, and put down anew.
  mutating func setExpiration(_ expiration: FlowExpiration.Milliseconds, at now: Timestamp) {
    _ = gatherAll()
    self.expiration = expiration
    // All Flows are due, so that none says where time is; evictions may have moved that far ahead.
    wheel = FlowWheel(horizonMilliseconds: expiration.horizon, from: now)
  }

  /// Looks at up to a group of due Flows. Their slots, then their index entries, are asked for before the first is
  /// looked at: the memory's latency is paid once a group.
  ///
  /// - Returns: how many they were.
  private mutating func takeDue(_ now: Timestamp, _ everything: Bool, into buffer: inout FlowRecordBuffer) -> Int {
    let group = min(32, buffer.capacity - buffer.count)
    return unsafe withUnsafeTemporaryAllocation(of: SlotReference.self, capacity: group) { references in
      var count = 0
      while due != .none, count < group {
        unsafe references[count] = due
        unsafe cshims_prefetch(slot(due))
        if hasLabels { unsafe cshims_prefetch(labels(due)) }
        count += 1
        unsafe due = SlotReference(rawValue: next(due).pointee)
      }
      unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { hashes in
        for i in 0..<count {
          let slot = unsafe slot(references[i])
          unsafe hashes[i] = hash(of: references[i], slot)
          if unsafe slot.pointee.hasDetail { unsafe cshims_prefetch(detail(references[i])) }
          unsafe index.prefetch(hashes[i])
        }
        for i in 0..<count {
          unsafe take(references[i], hash: hashes[i], now, everything, into: &buffer)
        }
      }
      return count
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
    unsafe statistics.taken.add(slot.pointee.totals)
    if selector == nil || (unsafe isSelected(slot.pointee)) { unsafe write(reference, slot, reason, into: &buffer) }
    release(reference)
  }

  /// Writes a Flow as it is reported.
  @inline(__always)
  func write(
    _ reference: SlotReference, _ slot: UnsafeMutablePointer<FlowSlot>, _ reason: FlowEndReason,
    into buffer: inout FlowRecordBuffer
  ) {
    buffer.append { record in
      unsafe slot.pointee.report(reason, to: &record)
      if let addresses = unsafe addresses(of: slot) {
        (record.key.source, record.key.destination) = addresses
      }
      if unsafe slot.pointee.hasDetail { unsafe record.detail = detail(reference).pointee }
      if unsafe slot.pointee.isLabelled { unsafe record.labels = labels(reference).pointee }
    }
  }

  /// Whether sampling lets a Flow that has ended be exported; counts it.
  @inline(never)
  private mutating func isSelected(_ slot: borrowing FlowSlot) -> Bool {
    if slot.isLeftOut { statistics.leftOut.add(slot.totals) } else { statistics.selected.add(slot.totals) }
    return !slot.isLeftOut
  }
}
