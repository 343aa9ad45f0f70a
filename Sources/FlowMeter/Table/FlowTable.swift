// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws, logs or reads a clock.
//
// Unsafe: owns the index's address space and the array of stripes; prefetches and reads hints from the index without
// the lock. A hint may be stale: it is only ever an address to prefetch, always inside the reservation.

internal import CShims
internal import Synchronization

/// The flow table: active Flows by their key, and those that have ended until somebody takes them.
///
/// Capture loops call ``update(_:)``, an exporting loop ``takeExpired(at:everything:sweep:into:)``; any number of
/// threads may do either. The table is cut into stripes by the high bits of the key's hash. A stripe is a lock around a
/// `FlowStore`; a thread holds one lock at a time, for the few packets of a batch that fall into the stripe or for one buffer of
/// records. A lookup costs a constant number of cache lines; none of the operations allocates once the table has
/// reached its size.
@safe public final class FlowTable: @unchecked Sendable {
  /// When Flows end, how many there can be, and which are exported.
  public struct Configuration: Sendable {
    /// When a Flow ends: the two timeouts.
    public var expiration = FlowExpiration()

    /// How many Flows may be active at once, at most; beyond it the Flow nearest to its end leaves early.
    ///
    /// Default 2 000 000; at least 1, at most 2³⁰. Each stripe has an equal share. Memory follows the Flows there are,
    /// about 90 octets for one of IPv4 and 130 for one of IPv6; a ``PacketDetail`` takes 32 more, MPLS labels
    /// 48.
    public var maxFlows = 2_000_000

    /// How many entries the index has at the start, all stripes together; it doubles by itself when it is five eighths
    /// full. Default 0: the least there is, 256 a stripe. More than `maxFlows` need is not taken.
    public var indexSize = 0

    /// Where hashes begin; nil, the default, takes the system's random numbers, so that nobody outside can aim at a
    /// bucket. With a seed the same packets leave the same records in the same order, also when the table is full.
    public var hashSeed: UInt64?

    /// Which of the Flows are exported when they end; nil, the default: all. Of what is chosen ahead of the table
    /// (``PacketSelection``) it knows nothing.
    public var sampling: Sampling?

    public init() {}
  }

  /// What it was made with.
  public let configuration: Configuration
  /// How many stripes there are; a power of two.
  public let stripeCount: Int

  private let stripes: UnsafeMutablePointer<Stripe>
  private let stripeShift: UInt64
  private let index: Reservation
  private let stripeBits: Int
  private let indexHints: UnsafeMutablePointer<UInt64>
  private let ipv4: SlotPool
  private let ipv6: SlotPool
  private let hash: KeyHash
  private let patience: Int
  /// After how many a sweep leaves a stripe.
  private let mostVisits: Int

  /// Reserves the address space for `maxFlows`; memory is used as Flows come.
  ///
  /// - Throws: where the system does not grant that.
  public init(_ configuration: Configuration = Configuration()) throws(SystemError) {
    precondition((1...1 << 30).contains(configuration.maxFlows), "maxFlows out of range")
    self.configuration = configuration
    hash = KeyHash(seed: configuration.hashSeed)
    let layout = FlowTableLayout(maxFlows: configuration.maxFlows)
    stripeCount = layout.stripeCount
    stripeShift = UInt64(64 - layout.stripeBits)
    let capacity = layout.capacity
    patience = layout.patience
    mostVisits = 64 + (layout.capacity + layout.patience) / FlowStore.mostLooks
    stripeBits = layout.stripeBits
    let initialLength = Self.initialIndex(configuration.indexSize / stripeCount, atMost: layout.indexLength)
    let places = FlowIndex.reservedPlaces(mostLength: layout.indexLength)
    index = try Reservation(bytes: stripeCount * places * MemoryLayout<UInt64>.stride, hugePages: true)
    unsafe indexHints = .allocate(capacity: stripeCount)
    let chunk = SlotPool.chunk
    let slots = stripeCount * ((capacity + patience + chunk) / chunk * chunk)
    ipv4 = try SlotPool(stride: MemoryLayout<FlowSlot>.stride, capacity: slots)
    ipv6 = try SlotPool(stride: MemoryLayout<FlowSlotIPv6>.stride, capacity: slots)
    unsafe stripes = .allocate(capacity: stripeCount)
    let selectors = Self.selectors(configuration, count: stripeCount)
    for stripe in 0..<stripeCount {
      let share = unsafe FlowStore.Share(
        index: FlowIndex.Places(
          index.base.assumingMemoryBound(to: UInt64.self), stripe: stripe, stripeBits: layout.stripeBits),
        indexHint: indexHints + stripe, ipv4: ipv4, ipv6: ipv6, hash: hash,
        indexLength: initialLength, mostIndexLength: layout.indexLength,
        expiration: FlowExpiration.Milliseconds(configuration.expiration),
        capacity: capacity,
        patience: patience, selector: selectors[stripe])
      unsafe (stripes + stripe).initialize(to: Stripe(Mutex(FlowStore(share))))
    }
  }

  /// How long a stripe's index is at the start: a power of two.
  private static func initialIndex(_ wanted: Int, atMost most: Int) -> Int {
    var length = FlowIndex.smallestLength
    while length < wanted, length < most { length *= 2 }
    return length
  }

  /// A selector for each stripe, or none.
  private static func selectors(_ configuration: Configuration, count: Int) -> [FlowSelector?] {
    var seeds = SplitMix64(state: configuration.hashSeed ?? UInt64.random(in: .min ... .max))
    let numbers = configuration.sampling?.method == .deterministicFlows ? FlowNumbers() : nil
    return (0..<count).map { _ in
      guard let sampling = configuration.sampling else { return nil }
      switch sampling.method {
      case .deterministicFlows, .randomFlows:
        return FlowSelector(interval: sampling.interval, numbers: numbers, seed: seeds.next())
      case .hashedFlows, .packets: return nil
      }
    }
  }

  deinit {
    unsafe stripes.deinitialize(count: stripeCount)
    unsafe stripes.deallocate()
    unsafe indexHints.deallocate()
  }

  /// Adds a batch of packets to their Flows, and leaves the batch as it is.
  ///
  /// - Returns: what that did to the table.
  @discardableResult
  public func update(_ batch: borrowing PacketBatch) -> FlowTableUpdate {
    // First and last place of each stripe's packets in the batch's order.
    unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: stripeCount + 1) { ends in
      unsafe ends.initialize(repeating: 0)
      let packets = batch.packets
      unsafe prefetch(packets, ends)
      unsafe sort(packets, ends)
      return unsafe add(packets, ends)
    }
  }

  /// Hashes every key and asks for its index entry, then for the slots: the latencies of a whole batch overlap.
  @inline(__always)
  private func prefetch(_ packets: BatchedPackets, _ counts: UnsafeMutableBufferPointer<Int32>) {
    for i in 0..<packets.count {
      let packet = packets[i]
      let hash = unsafe hash.hash(packet.key, packet.labels)
      packets.note(hash: hash, of: i)
      let stripe = stripe(hash)
      unsafe counts[stripe + 1] += 1
      unsafe cshims_prefetch(places(stripe).address(hintedShape(stripe).home(of: FlowIndex.tag(hash))))
    }
    let (slots4, slots6) = unsafe (ipv4.base, ipv6.base)
    for i in 0..<packets.count {
      let reference = hintedReference(packets.hash(of: i))
      if reference == .none { continue }
      if reference.isIPv6 {
        let slot = unsafe slots6 + reference.number * MemoryLayout<FlowSlotIPv6>.stride
        unsafe cshims_prefetch(slot)
        unsafe cshims_prefetch(slot + 64)
      } else {
        unsafe cshims_prefetch(slots4 + reference.number * MemoryLayout<FlowSlot>.stride)
      }
    }
  }

  /// The slot that a lookup of this hash is likely to end at. A third of all entries stand a few places behind their
  /// own, mostly in the same cache line.
  @inline(__always)
  private func hintedReference(_ hash: UInt64) -> SlotReference {
    let stripe = stripe(hash)
    let tag = FlowIndex.tag(hash)
    let (places, home) = (places(stripe), hintedShape(stripe).home(of: tag))
    for distance in 0..<Self.hintDistance {
      let entry = unsafe cshims_load_hint(places.address(home + distance))
      if FlowIndex.tag(ofEntry: entry) == tag { return FlowIndex.reference(entry) }
      if entry == 0 { break }
    }
    return .none
  }

  private static let hintDistance = 8

  /// Brings the packets of a stripe together, in the order in which they came.
  @inline(__always)
  private func sort(_ packets: BatchedPackets, _ ends: UnsafeMutableBufferPointer<Int32>) {
    for stripe in 1...stripeCount { unsafe ends[stripe] += ends[stripe - 1] }
    // From here on ends[s] is the next free place of stripe s; when all are placed it is the end of stripe s.
    for i in 0..<packets.count {
      let stripe = stripe(packets.hash(of: i))
      unsafe packets.note(number: i, at: Int(ends[stripe]))
      unsafe ends[stripe] += 1
    }
  }

  /// Adds the packets of one stripe after the other. A stripe that somebody else holds is left for later: to wait for it
  /// costs as much as hundreds of packets.
  @inline(__always)
  private func add(_ packets: BatchedPackets, _ ends: UnsafeMutableBufferPointer<Int32>) -> FlowTableUpdate {
    var result = FlowTableUpdate()
    var mostEnded = 0
    var held: UInt64 = 0
    @inline(__always)
    func places(_ stripe: Int) -> Range<Int> { unsafe (stripe == 0 ? 0 : Int(ends[stripe - 1]))..<Int(ends[stripe]) }
    for stripe in 0..<stripeCount {
      let places = places(stripe)
      guard !places.isEmpty else { continue }
      let added: Void? = unsafe stripes[stripe].store.withLockIfAvailable { store in
        mostEnded = max(mostEnded, store.add(packets, places, &result))
      }
      if added == nil { held |= 1 << stripe }
    }
    while held != 0 {
      let stripe = held.trailingZeroBitCount
      let places = places(stripe)
      unsafe stripes[stripe].store.withLock { store in
        mostEnded = max(mostEnded, store.add(packets, places, &result))
      }
      held &= held - 1
    }
    result.isCrowded = mostEnded * 2 >= patience
    return result
  }

  @inline(__always)
  private func stripe(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> stripeShift) }

  /// Where the index of a stripe is.
  @inline(__always)
  private func places(_ stripe: Int) -> FlowIndex.Places {
    unsafe FlowIndex.Places(
      index.base.assumingMemoryBound(to: UInt64.self), stripe: stripe, stripeBits: stripeBits)
  }

  /// The shape of a stripe's index now, or a moment ago.
  @inline(__always)
  private func hintedShape(_ stripe: Int) -> FlowIndex.Shape {
    unsafe FlowIndex.Shape(rawValue: cshims_load_hint(indexHints + stripe))
  }
}

extension FlowTable {
  /// Moves Flows that have ended by `now` into `buffer`, stripe by stripe.
  ///
  /// - Parameters:
  ///   - now: what the deadlines are held against, on the clock of the packets' times.
  ///   - everything: takes the active Flows too (reason 4).
  ///   - sweep: how far this sweep of the table has come; a new one at first.
  ///   - buffer: where the records are added; not full.
  /// - Returns: whether the sweep goes on: empty the buffer and call again.
  public func takeExpired(
    at now: Timestamp, everything: Bool = false, sweep: inout FlowTableSweep, into buffer: inout FlowRecordBuffer
  ) -> Bool {
    while sweep.stripe < stripeCount {
      let more = unsafe stripes[sweep.stripe].store.withLock {
        $0.takeExpired(at: now, everything: everything, into: &buffer)
      }
      sweep.visits += 1
      let staysHere = more && sweep.visits < mostVisits * max(1, FlowStore.mostLooks / buffer.capacity)
      if !staysHere { (sweep.stripe, sweep.visits) = (sweep.stripe + 1, 0) }
      if more { return true }
    }
    return false
  }

  /// Has the system back with memory what the next Flows will take, as many as have begun since the last call, so that no
  /// packet waits for that: the system clears two megabytes at a time. Any thread, a few times a second; it may take some
  /// milliseconds.
  public func prepareMemory() {
    ipv4.populateAhead()
    ipv6.populateAhead()
  }

  /// Holds all Flows, those that are active too, to other timeouts. Any thread; it takes a stripe's lock shortly, and the
  /// Flows are looked at when ended ones are taken next.
  ///
  /// - Parameters:
  ///   - expiration: the timeouts that hold from now on.
  ///   - now: the time, on the clock of the packets' times.
  public func setExpiration(_ expiration: FlowExpiration, at now: Timestamp) {
    let expiration = FlowExpiration.Milliseconds(expiration)
    for stripe in 0..<stripeCount { unsafe stripes[stripe].store.withLock { $0.setExpiration(expiration, at: now) } }
  }

  /// What the table holds and did: the sum over the stripes, each at its own moment.
  public var statistics: FlowTableStatistics {
    var sum = FlowTableStatistics()
    var (hasDetails, hasLabels) = (false, false)
    for stripe in 0..<stripeCount {
      unsafe stripes[stripe].store.withLock {
        sum.add($0.statistics)
        sum.waiting += $0.ended.count
        sum.indexEntries += $0.index.length
        hasDetails = hasDetails || $0.hasDetails
        hasLabels = hasLabels || $0.hasLabels
      }
    }
    for pool in [ipv4, ipv6] { sum.memory += pool.memory(hasDetails: hasDetails, hasLabels: hasLabels) }
    sum.memory += sum.indexMemory
    return sum
  }

  /// Where in the index of its stripe the lookup of a Flow begins.
  public func bucket(of record: FlowRecord) -> UInt64 {
    let hash = hash.hash(record.key, record.labels)
    return UInt64(hintedShape(stripe(hash)).home(of: FlowIndex.tag(hash)))
  }

  func withStripe(_ stripe: Int, _ body: (borrowing FlowStore) -> Void) {
    precondition(stripe < stripeCount)
    unsafe stripes[stripe].store.withLock { body($0) }
  }

  /// Calls `body` for each stripe under its lock: for tests.
  func forEachStripe(_ body: (borrowing FlowStore) -> Void) {
    for stripe in 0..<stripeCount { withStripe(stripe, body) }
  }
}

extension FlowStore {
  /// Adds the packets at these places of the order.
  ///
  /// - Returns: how many Flows wait for the exporter.
  @inline(__always)
  fileprivate mutating func add(
    _ packets: BatchedPackets, _ places: Range<Int>, _ result: inout FlowTableUpdate
  ) -> Int {
    let before = statistics.progress
    for place in places {
      let i = packets.number(at: place)
      update(packets[i], hash: packets.hash(of: i))
    }
    result.add(from: before, to: statistics)
    return ended.count
  }
}

/// A stripe, and behind it room that keeps what one thread writes out of the cache lines that another one reads: the
/// processor fetches them two by two.
@safe private struct Stripe: ~Copyable {
  let store: Mutex<FlowStore>
  private let room = InlineArray<16, UInt64>(repeating: 0)

  init(_ store: consuming Mutex<FlowStore>) { self.store = store }
}

/// How far a sweep of the table for ended Flows has come.
///
/// A stripe that fills as fast as it is emptied is left when as many Flows have been looked at as there were, so that a
/// flood of Flows in it does not keep the others waiting; the next sweep goes on with it.
public struct FlowTableSweep: Sendable {
  var stripe = 0
  var visits = 0

  public init() {}
}
