// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates once warm, throws, logs or reads a clock.
//
// Unsafe: slots and links are raw memory that the table reserved for this stripe. Guaranteed here: a reference other
// than 0 names a slot that this stripe claimed and initialised; the caller holds the stripe's lock.

/// One stripe of the flow table: a hash index over slots, and the order in which Flows end.
///
/// **Held.** Each active Flow has one slot, one index entry and one place on the wheel. A Flow that has ended keeps
/// its slot and stands in the ended list until the exporter takes it. The detail of a Flow's first packet, where it has
/// one, stands apart from the slot: a packet that is added neither reads nor writes it. So do the labels of a labelled
/// Flow, which are part of its key: its packets read them, and those of other Flows do not.
///
/// **Index.** See ``FlowIndex``; the key itself is compared always, so two Flows are never merged.
///
/// **Order of ending.** A wheel of buckets of 256 ms. A Flow is put into the bucket of its deadline when it begins,
/// and is not touched there by packets; when the bucket comes up, a Flow that has had packets since moves on to the
/// bucket of its new deadline. So both timeouts are kept to a quarter of a second, a packet writes one cache line, and
/// a Flow is looked at once a timeout. The same order says which Flow is nearest to its end when the stripe is full.
@safe struct FlowStore: ~Copyable {
  /// Everything that a stripe is given by its table.
  @unsafe struct Share {
    var index: FlowIndex.Places
    /// Where the shape of the index is shown to those who prefetch without the lock.
    var indexHint: UnsafeMutablePointer<UInt64>
    var ipv4: SlotPool
    var ipv6: SlotPool
    var hash: KeyHash
    /// How many places the index starts with, and how many it may have: powers of two.
    var indexLength: Int
    var mostIndexLength: Int
    var expiration: FlowExpiration.Milliseconds
    /// How many Flows may be active.
    var capacity: Int
    /// How many Flows may wait for the exporter.
    var patience: Int
    /// Which Flows are exported; nil: all.
    var selector: FlowSelector?
  }

  var index: FlowIndex
  let hash: KeyHash
  var expiration: FlowExpiration.Milliseconds
  let capacity: Int
  let patience: Int

  let ipv4: SlotFamily
  let ipv6: SlotFamily
  var freeIPv4 = FreeSlots()
  var freeIPv6 = FreeSlots()

  var wheel: FlowWheel
  /// Flows taken off the wheel because their bucket is due, and not looked at yet.
  var due = SlotReference.none
  var ended = FlowChain()
  /// Whether any Flow had a detail so far: without, their memory is untouched.
  var hasDetails = false
  /// Whether any Flow had labels so far.
  var hasLabels = false
  var selector: FlowSelector?
  var statistics = FlowTableStatistics()

  init(_ share: Share) {
    index = unsafe FlowIndex(
      share.index, hint: share.indexHint, length: share.indexLength, mostLength: share.mostIndexLength)
    hash = unsafe share.hash
    expiration = unsafe share.expiration
    capacity = unsafe share.capacity
    patience = unsafe share.patience
    unsafe ipv4 = unsafe SlotFamily(share.ipv4)
    unsafe ipv6 = unsafe SlotFamily(share.ipv6)
    selector = unsafe share.selector
    wheel = FlowWheel(horizonMilliseconds: expiration.horizon)
  }

  /// Adds one packet: to its Flow, or as the first of a new one.
  ///
  /// - Parameter packet: its detail is read where the observation has one and begins a Flow, its labels where the key
  ///   says that there are some.
  @inline(__always)
  mutating func update(_ packet: BatchedPacket, hash: UInt64) {
    let (transport, link) = (packet.observation.key.transportWord, packet.observation.key.linkWord)
    switch FlowKey.Form(transportWord: transport) {
    case .ipv4: update(packet, IPv4Match(packet.observation.key, transport, link), hash: hash)
    case .ipv6: update(packet, IPv6Match(packet.observation.key, transport, link), hash: hash)
    case .labelled: updateLabelled(packet, hash: hash)
    }
  }

  @inline(never)
  private mutating func updateLabelled(_ packet: BatchedPacket, hash: UInt64) {
    hasLabels = true
    let (transport, link) = (packet.observation.key.transportWord, packet.observation.key.linkWord)
    if packet.observation.key.version == .v4 {
      let match = IPv4Match(packet.observation.key, transport, link)
      let labelled = unsafe LabelledMatch(match, packet.labels, ipv4.labels)
      unsafe update(packet, labelled, hash: hash)
    } else {
      let match = IPv6Match(packet.observation.key, transport, link)
      let labelled = unsafe LabelledMatch(match, packet.labels, ipv6.labels)
      unsafe update(packet, labelled, hash: hash)
    }
  }

  @inline(__always)
  private mutating func update(
    _ packet: BatchedPacket,
    _ match: borrowing some SlotMatch, hash: UInt64
  ) {
    let tag = FlowIndex.tag(hash)
    var position = index.shape.home(of: tag)
    while true {
      let entry = index[position]
      if entry == 0 { break }
      if FlowIndex.tag(ofEntry: entry) == tag {
        let reference = FlowIndex.reference(entry)
        let slot = unsafe slot(reference)
        if unsafe match.matches(slot, reference) {
          statistics.found &+= 1
          let distance = unsafe packet.observation.time.milliseconds &- slot.pointee.start
          if distance >= 0, unsafe expiration.admits(slot.pointee, atMillisecond: distance) {
            unsafe slot.pointee.add(packet.observation, atMillisecond: UInt32(truncatingIfNeeded: distance))
          } else {
            addOutOfBounds(packet, to: reference)
          }
          return
        }
      }
      statistics.searched &+= 1
      position &+= 1
    }
    insert(packet, match, tag: tag, at: position)
  }

  /// A packet stamped before its Flow's first one, or after its Flow's end.
  @inline(never)
  private mutating func addOutOfBounds(
    _ packet: BatchedPacket, to reference: SlotReference
  ) {
    let slot = unsafe slot(reference)
    let distance = unsafe packet.observation.time.milliseconds &- slot.pointee.start
    // How long the Flow would last with this packet in it decides, so an early packet cannot stretch it.
    if distance < 0, unsafe Int64(slot.pointee.duration) &- distance < expiration.active,
      -distance < expiration.inactive, unsafe slot.pointee.packets != .max
    {
      unsafe slot.pointee.addEarlier(packet.observation)
      return
    }
    // The old record leaves; the slot goes on with the new one, at its place in index and wheel.
    let reason = unsafe expiration.reason(slot.pointee)
    if ended.count < patience {
      let old = allocate(isIPv6: reference.isIPv6)
      copy(reference, to: old)
      append(toEnded: old, reason)
    } else {
      countLoss(unsafe slot.pointee)
    }
    statistics.created &+= 1
    unsafe slot.pointee = FlowSlot(packet.observation)
    if selector != nil { unsafe sample(slot) }
    if packet.observation.hasDetail { keep(packet.detail, of: reference) }
    if packet.observation.key.recordedLabels != 0 { unsafe labels(reference).pointee = packet.labels }
  }

  /// Decides whether a Flow that begins is exported.
  @inline(never)
  private mutating func sample(_ slot: UnsafeMutablePointer<FlowSlot>) {
    if !(selector?.selects() ?? true) { unsafe slot.pointee.leaveOut() }
  }

  @inline(__always)
  private mutating func insert(
    _ packet: BatchedPacket, _ match: borrowing some SlotMatch,
    tag: UInt64, at free: Int
  ) {
    // Where entries may have moved the free place is looked for again.
    guard let position = makesRoom() ? index.freePosition(for: tag) : free, position < index.end - 1 else {
      statistics.created &+= 1
      return countLoss(FlowSlot(packet.observation))
    }
    let reference = allocate(isIPv6: match.isIPv6)
    let slot = unsafe slot(reference)
    unsafe slot.initialize(to: FlowSlot(packet.observation))
    if selector != nil { unsafe sample(slot) }
    unsafe match.complete(slot, reference)
    if packet.observation.hasDetail { keep(packet.detail, of: reference) }
    index.set(tag, reference, at: position)
    statistics.active &+= 1
    statistics.created &+= 1
    enqueue(reference, deadline: expiration.deadline(ofNewFlowAt: packet.observation.time.milliseconds))
  }

  @inline(__always)
  private mutating func keep(_ detail: PacketDetail, of reference: SlotReference) {
    unsafe self.detail(reference).initialize(to: detail)
    hasDetails = true
  }

  /// Sees to it that one more Flow fits. True where that moved index entries.
  @inline(__always)
  private mutating func makesRoom() -> Bool {
    if statistics.active == capacity {
      evict()
      return true
    }
    return index.grow(for: statistics.active + 1)
  }
}
