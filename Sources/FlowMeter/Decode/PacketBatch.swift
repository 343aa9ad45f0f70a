// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.
//
// Unsafe: owns five allocations, of which the first `count` observations are meant, the details and labels of those
// that have some, and what the table notes of them; `watched` is what `ownSessions` keeps. The allocations' size covers a full batch and all the fragments that may be released into it at once.

/// Packets decoded and not yet in the table: what a source fills and the table reads.
///
/// Batches are what makes the table fast: the memory that a whole batch needs is asked for before the first packet is
/// added. Not thread-safe; one a capture loop.
@safe public struct PacketBatch: ~Copyable {
  /// How many packets a source appends before it hands over.
  public static let capacity = 256

  /// How many there can be: the fragments that waited may be released by any of them.
  static let mostPackets = capacity + FragmentTracker.mostHeld

  private let observations: UnsafeMutablePointer<PacketObservation>
  /// What the sources know beside: written and read for packets that have a detail, and no others.
  private let details: UnsafeMutablePointer<PacketDetail>
  /// Written and read for packets that have labels, and no others.
  private let labels: UnsafeMutablePointer<MPLSLabelStack>
  private let hashes: UnsafeMutablePointer<UInt64>
  private let order: UnsafeMutablePointer<UInt16>
  /// How many packets are in it.
  public private(set) var count = 0
  /// What was counted since the statistics were last taken.
  public var statistics = MeteringStatistics()
  /// The latest time of any packet so far: the clock of a capture file. Long ago before the first.
  public private(set) var latest = Timestamp(milliseconds: .min)
  private let ownSessions: OwnSessions?
  /// The same, without a reference that is counted with each packet.
  private let watched: Unmanaged<OwnSessions>?
  private var own: [OwnSession] = []
  private var ownVersion = -1

  /// One packet of so many is taken; 0: all are.
  var packetInterval: UInt32 { didSet { packetsToSkip = 0 } }
  /// How many are left out before the next is taken.
  private var packetsToSkip: UInt32 = 0

  private let decoder: PacketDecoder
  private let fragments: FragmentTracker
  private let tracksFragments: Bool

  /// - Parameters:
  ///   - fragments: `.zero` meters later fragments with ports 0 (ipt_NETFLOW's way); default `.track`.
  ///   - recordedLabels: how many entries of an MPLS label stack are recorded, as in ``PacketDecoder``; default 0.
  ///   - packetInterval: samples packets: of so many, one by one, the first is taken; default 0: all are.
  ///   - ownSessions: conversations that are left out: flowprobe's own export; nil where none can come.
  ///   - hashSeed: as in ``FlowTable/Configuration``.
  public init(
    fragments: FragmentHandling = .track, recordedLabels: Int = 0, packetInterval: UInt32 = 0,
    ownSessions: OwnSessions? = nil, hashSeed: UInt64? = nil
  ) {
    decoder = PacketDecoder(recordedLabels: recordedLabels)
    self.packetInterval = packetInterval
    self.fragments = FragmentTracker(hashSeed: hashSeed)
    self.ownSessions = ownSessions
    unsafe watched = ownSessions.map { unsafe Unmanaged.passUnretained($0) }
    unsafe observations = .allocate(capacity: Self.mostPackets + 1)
    unsafe details = .allocate(capacity: Self.mostPackets + 1)
    unsafe labels = .allocate(capacity: Self.mostPackets + 1)
    unsafe labels.initialize(repeating: MPLSLabelStack(), count: Self.mostPackets + 1)
    unsafe hashes = .allocate(capacity: Self.mostPackets + 1)
    unsafe order = .allocate(capacity: Self.mostPackets + 1)
    tracksFragments = fragments == .track
  }

  deinit {
    unsafe observations.deallocate()
    unsafe details.deallocate()
    unsafe labels.deallocate()
    unsafe hashes.deallocate()
    unsafe order.deallocate()
  }

  /// Whether it has ``capacity`` packets: a source appends no more.
  public var isFull: Bool { count >= Self.capacity }

  /// How many fragments wait outside the batch for their datagram's first one.
  public var waitingFragments: Int { fragments.waiting }

  /// A packet by its number in the order of arrival, below ``count``.
  public subscript(index: Int) -> PacketObservation {
    @inline(__always)
    unsafeAddress {
      precondition(index >= 0 && index < count)
      return unsafe UnsafePointer(observations + index)
    }
  }

  /// What the source knew of a packet beside; nil where that was nothing.
  public func detail(of index: Int) -> PacketDetail? {
    self[index].hasDetail ? packets[index].detail : nil
  }

  /// The packets for who adds them to their Flows.
  @inline(__always)
  var packets: BatchedPackets {
    unsafe BatchedPackets(count: count, observations, details, labels, hashes: hashes, order: order)
  }

  /// Decodes a packet into the batch, or counts why not. A time outside ``Timestamp/plausible`` is taken as its nearest
  /// bound: what a damaged capture claims must not overflow the arithmetic of timeouts.
  ///
  /// - Precondition: no more than ``capacity`` are appended between two calls of ``reset(at:)``.
  @inline(__always)
  public mutating func append(_ bytes: RawSpan, _ metadata: CaptureMetadata) {
    append(bytes, metadata, nil)
  }

  /// The same with what is known beside of the packet, which may be nothing.
  @inline(never)
  public mutating func append(_ bytes: RawSpan, _ metadata: CaptureMetadata, detail: PacketDetail) {
    append(bytes, metadata, detail.isEmpty ? nil : detail)
  }

  @inline(__always)
  private mutating func append(_ bytes: RawSpan, _ metadata: CaptureMetadata, _ detail: PacketDetail?) {
    precondition(count <= Self.mostPackets)
    statistics.observedPackets &+= 1
    let time = metadata.time.clampedToPlausible
    latest = max(latest, time)
    if packetInterval != 0, skips() { return }
    let place = unsafe observations + count
    unsafe place.initialize(to: PacketObservation())
    do throws(DecodeFailure) {
      let remark = try unsafe decoder.decode(bytes, metadata, into: &place.pointee) { unsafe labels[count] = $0 }
      unsafe place.pointee.time = time
      if let detail {
        unsafe place.pointee.hasDetail = true
        unsafe (details + count).initialize(to: detail)
      }
      if let remark { statistics[remark] &+= 1 }
    } catch {
      statistics[error] &+= 1
      return
    }
    if unsafe place.pointee.fragment == .none {
      if let watched = unsafe watched, unsafe isOwn(place, watched) {
        statistics.ownPackets &+= 1
      } else {
        meter(unsafe place.pointee.octets)
      }
    } else {
      unsafe appendFragment(place)
    }
  }

  /// Whether sampling leaves the next packet out.
  private mutating func skips() -> Bool {
    guard packetsToSkip > 0 else {
      packetsToSkip = packetInterval - 1
      return false
    }
    packetsToSkip -= 1
    statistics.unselectedPackets &+= 1
    return true
  }

  /// Empties the batch for the next round, in which fragments that have waited too long come first.
  ///
  /// - Parameter now: the packets' clock; nil gives up on every first fragment that has not come: metering stops.
  public mutating func reset(at now: Timestamp?) {
    count = 0
    fragments.releaseOverdue(at: now) {
      appendReleased($0)
      statistics.orphanedFragments &+= 1
    }
  }

  @inline(__always)
  private mutating func meter(_ octets: UInt32) {
    count &+= 1
    statistics.meteredPackets &+= 1
    statistics.meteredOctets &+= UInt64(octets)
  }

  private mutating func appendFragment(_ place: UnsafeMutablePointer<PacketObservation>) {
    let octets = unsafe place.pointee.octets
    switch unsafe place.pointee.fragment {
    case .none: break
    case .first:
      meter(octets)
      guard tracksFragments else { return }
      let first = unsafe place.pointee
      unsafe fragments.note(first: first, labels[count - 1]) {
        appendReleased($0)
        statistics.completedFragments &+= 1
      }
    case .later:
      if !tracksFragments {
        meter(octets)
      } else if unsafe fragments.complete(later: &place.pointee, labels[count]) {
        statistics.completedFragments &+= 1
        meter(octets)
      } else {
        let detail = unsafe place.pointee.hasDetail ? details[count] : PacketDetail()
        let later = unsafe WaitingFragment(observation: place.pointee, detail: detail, labels: labels[count])
        fragments.hold(later) {
          appendReleased($0)
          statistics.orphanedFragments &+= 1
        }
      }
    }
  }

  /// Applies aggregation rules to the packets' keys.
  mutating func aggregate(by rules: AggregationRules, _ usage: inout [UInt64]) {
    for i in 0..<count { unsafe rules.apply(to: &observations[i], &usage) }
  }

  /// Takes out the packets whose keys are not selected: they are not metered.
  mutating func keep(_ selector: KeySelector) {
    let all = count
    count = 0
    for i in 0..<all {
      guard unsafe selector.selects(observations[i].key, labels[i]) else {
        statistics.unselectedPackets &+= 1
        statistics.meteredPackets &-= 1
        statistics.meteredOctets &-= unsafe UInt64(observations[i].octets)
        continue
      }
      if count < i {
        unsafe observations[count] = observations[i]
        if unsafe observations[i].hasDetail { unsafe (details + count).initialize(to: details[i]) }
        if unsafe observations[i].key.recordedLabels != 0 { unsafe labels[count] = labels[i] }
      }
      count += 1
    }
  }

  private mutating func appendReleased(_ fragment: WaitingFragment) {
    precondition(count <= Self.mostPackets)
    unsafe (observations + count).initialize(to: fragment.observation)
    unsafe (details + count).initialize(to: fragment.detail)
    unsafe labels[count] = fragment.labels
    meter(fragment.observation.octets)
  }

  /// Looks whether the sessions changed with every packet that could be one's: a session is told of before its first
  /// datagram or segment leaves, so none slips through.
  @inline(__always)
  private mutating func isOwn(
    _ packet: UnsafePointer<PacketObservation>, _ sessions: Unmanaged<OwnSessions>
  ) -> Bool {
    let number = unsafe packet.pointee.key.protocol
    guard number == .udp || number == .tcp else { return false }
    if unsafe sessions._withUnsafeGuaranteedRef({ $0.version }) != ownVersion { readOwnSessions() }
    for i in own.indices where unsafe own[i].matches(packet.pointee.key) { return true }
    return false
  }

  @inline(never)
  private mutating func readOwnSessions() {
    if let ownSessions { (own, ownVersion) = ownSessions.current }
  }
}

/// What is done with the fragments of a datagram behind its first.
public enum FragmentHandling: String, CaseIterable, Sendable {
  /// They are counted to the Flow of the first one.
  case track
  /// They are counted to a Flow with ports 0.
  case zero
}
