// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns two allocations whose sizes are fixed at init; positions are masked or checked against them.

/// A later fragment that waits for its datagram's first one.
struct WaitingFragment {
  var observation = PacketObservation()
  /// Meant where the observation has one.
  var detail = PacketDetail()
  /// Meant where the observation's key says that there are some.
  var labels = MPLSLabelStack()
}

/// Gives later fragments the ports of their datagram's first one.
///
/// **Held.** The transport word of each first fragment seen in the last 30 seconds (Linux's own reassembly time), in
/// sets of four by a seeded hash of addresses, Identification, protocol, link and labels; and up to 512 later fragments
/// that came before their first one, for up to 5 seconds. Both are bounded: a set forgets its oldest, a fragment that
/// waits too long or is pushed out is metered with ports 0. Belongs to one thread.
@safe final class FragmentTracker {
  private struct Datagram {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    /// Interface and VLAN tags; of a labelled packet their hash with the labels: of 64 bits and seeded, so that nobody
    /// meets two that agree.
    var link: UInt64 = 0
    var identification: UInt64 = 0

    init() {}

    init(_ observation: borrowing PacketObservation, _ labels: borrowing MPLSLabelStack, _ hash: KeyHash) {
      let key = observation.key
      words = (key.source.high, key.source.low, key.destination.high, key.destination.low)
      link = key.recordedLabels == 0 ? key.linkWord : hash.hash(key.linkWord, labels)
      // RFC 791 section 3.2 counts the protocol to what tells datagrams apart; RFC 8200 section 4.5 does not.
      let protocolNumber = key.version == .v4 ? UInt64(key.protocol.rawValue) : 0
      identification =
        UInt64(observation.fragmentIdentification) | protocolNumber << 32 | UInt64(key.version.rawValue) << 40
    }

    static func == (a: Datagram, b: Datagram) -> Bool {
      a.identification == b.identification && a.link == b.link && a.words == b.words
    }
  }

  private struct First {
    var datagram = Datagram()
    var transport: UInt64 = 0
    /// Milliseconds; of a place never used, long ago.
    var time = Int64.min
  }

  private static let setCount = 2048
  private static let ways = 4
  static let mostHeld = 512
  static let lifetime: Int64 = 30_000
  static let holdTime: Int64 = 5_000

  private let firsts: UnsafeMutablePointer<First>
  /// A ring, oldest at `heldHead`; an entry whose observation was released early has fragment `.none`.
  private let held: UnsafeMutablePointer<WaitingFragment>
  private var heldHead = 0
  private var heldCount = 0
  /// How many fragments wait for their first one.
  private(set) var waiting = 0
  private let hash: KeyHash

  init(hashSeed: UInt64?) {
    hash = KeyHash(seed: hashSeed)
    let count = Self.setCount * Self.ways
    unsafe firsts = .allocate(capacity: count)
    unsafe firsts.initialize(repeating: First(), count: count)
    unsafe held = .allocate(capacity: Self.mostHeld)
    unsafe held.initialize(repeating: WaitingFragment(), count: Self.mostHeld)
  }

  deinit {
    unsafe firsts.deallocate()
    unsafe held.deallocate()
  }

  private func set(_ datagram: borrowing Datagram) -> UnsafeMutablePointer<First> {
    let words = datagram.words
    let hash = hash.hash(
      words.0, words.1, words.2, words.3, datagram.identification, datagram.link)
    return unsafe firsts + Int(truncatingIfNeeded: hash >> 32) & (Self.setCount - 1) * Self.ways
  }

  /// Remembers a first fragment, and hands over the fragments of its datagram that came before it.
  func note(
    first observation: borrowing PacketObservation, _ labels: borrowing MPLSLabelStack,
    release: (WaitingFragment) -> Void
  ) {
    let datagram = Datagram(observation, labels, hash)
    let set = unsafe set(datagram)
    var oldest = 0
    for way in 0..<Self.ways {
      if unsafe set[way].datagram == datagram {
        oldest = way
        break
      }
      if unsafe set[way].time < set[oldest].time { oldest = way }
    }
    unsafe set[oldest].datagram = datagram
    unsafe set[oldest].transport = observation.key.transportWord
    unsafe set[oldest].time = observation.time.milliseconds

    for i in 0..<heldCount {
      let place = unsafe held + (heldHead + i) % Self.mostHeld
      guard unsafe place.pointee.observation.fragment != .none,
        unsafe Datagram(place.pointee.observation, place.pointee.labels, hash) == datagram
      else { continue }
      unsafe complete(&place.pointee.observation, observation.key.transportWord)
      release(unsafe place.pointee)
      unsafe place.pointee.observation.fragment = .none
      waiting -= 1
    }
  }

  /// Completes a later fragment's key; false where its first fragment is not known.
  func complete(later observation: inout PacketObservation, _ labels: borrowing MPLSLabelStack) -> Bool {
    let datagram = Datagram(observation, labels, hash)
    let set = unsafe set(datagram)
    for way in 0..<Self.ways where unsafe set[way].datagram == datagram {
      let age = unsafe observation.time.milliseconds &- set[way].time
      guard age >= -Self.holdTime, age <= Self.lifetime else { return false }
      unsafe complete(&observation, set[way].transport)
      return true
    }
    return false
  }

  /// Ports and protocol of the first fragment; the class of service stays the fragment's own.
  private func complete(_ observation: inout PacketObservation, _ transport: UInt64) {
    let classOfService = observation.key.classOfService
    observation.key.transportWord = transport
    observation.key.classOfService = classOfService
  }

  /// Keeps a later fragment until its first one comes. Hands over the oldest one kept where there is no room.
  func hold(_ fragment: WaitingFragment, release: (WaitingFragment) -> Void) {
    if heldCount == Self.mostHeld { releaseOldest(release) }
    unsafe held[(heldHead + heldCount) % Self.mostHeld] = fragment
    heldCount += 1
    waiting += 1
  }

  /// Hands over the fragments that have waited long enough at `now`; all of them where it is nil.
  func releaseOverdue(at now: Timestamp?, release: (WaitingFragment) -> Void) {
    while heldCount > 0 {
      if let now, unsafe held[heldHead].observation.fragment != .none,
        unsafe now.milliseconds &- held[heldHead].observation.time.milliseconds < Self.holdTime
      {
        return
      }
      releaseOldest(release)
    }
  }

  private func releaseOldest(_ release: (WaitingFragment) -> Void) {
    if unsafe held[heldHead].observation.fragment != .none {
      release(unsafe held[heldHead])
      waiting -= 1
    }
    heldHead = (heldHead + 1) % Self.mostHeld
    heldCount -= 1
  }
}
