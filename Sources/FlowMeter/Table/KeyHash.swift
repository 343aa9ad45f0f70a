// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.
//
// Unsafe: reads a key where its owner says that it lies.

/// The hash of a Flow Key: words folded by 64 × 64 bit multiplication.
///
/// Seeded from the system's random numbers at start, so that nobody outside can aim packets at one bucket. Each word that
/// packets bring is folded at least twice, under different seeds: one product alone tells a word from its complement
/// badly (three bits of four stay). The link word of an IPv4 key, which is folded once, is half the system's own.
struct KeyHash: Sendable {
  private let seeds: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  init(using generator: inout some RandomNumberGenerator) {
    func seed() -> UInt64 { generator.next() | 1 }
    seeds = (seed(), seed(), seed(), seed(), seed(), seed())
  }

  /// - Parameter seed: nil takes the system's random numbers.
  init(seed: UInt64? = nil) {
    if let seed {
      var generator = SplitMix64(state: seed)
      self.init(using: &generator)
    } else {
      var generator = SystemRandomNumberGenerator()
      self.init(using: &generator)
    }
  }

  /// An IPv4 key: both addresses, transport word, link word.
  @inline(__always)
  func hash(_ addresses: UInt64, _ transport: UInt64, _ link: UInt64) -> UInt64 {
    let head = Self.fold(addresses ^ seeds.0, transport ^ seeds.1)
    return Self.fold(head ^ seeds.4, link ^ seeds.5)
  }

  /// An IPv6 key: four address words, transport word, link word.
  @inline(__always)
  func hash(
    _ sourceHigh: UInt64, _ sourceLow: UInt64, _ destinationHigh: UInt64, _ destinationLow: UInt64,
    _ transport: UInt64, _ link: UInt64
  ) -> UInt64 {
    let head = Self.fold(sourceHigh ^ seeds.2, sourceLow ^ seeds.3)
    let middle = Self.fold(destinationHigh ^ seeds.0, destinationLow ^ seeds.1)
    let tail = Self.fold(transport ^ seeds.4, link ^ seeds.5)
    return Self.fold(head ^ seeds.1, middle ^ seeds.2) ^ Self.fold(tail ^ seeds.3, head &+ middle ^ seeds.0)
  }

  /// - Parameter labels: read where the key says that there are some.
  func hash(_ key: borrowing FlowKey, _ labels: @autoclosure () -> MPLSLabelStack) -> UInt64 {
    unsafe withUnsafePointer(to: key) { unsafe hash($0, labels()) }
  }

  /// The same of a key where it lies: it is not copied, which costs more than to hash it.
  @inline(__always)
  func hash(_ key: UnsafePointer<FlowKey>, _ labels: @autoclosure () -> MPLSLabelStack) -> UInt64 {
    let (transport, link) = unsafe (key.pointee.transportWord, key.pointee.linkWord)
    switch FlowKey.Form(transportWord: transport) {
    case .ipv4: return unsafe hash(key.pointee.ipv4Word, transport, link)
    case .ipv6:
      let (source, destination) = unsafe (key.pointee.source, key.pointee.destination)
      return hash(source.high, source.low, destination.high, destination.low, transport, link)
    case .labelled: return unsafe hash(labelled: key.pointee, labels())
    }
  }

  @inline(never)
  private func hash(labelled key: borrowing FlowKey, _ labels: MPLSLabelStack) -> UInt64 {
    let (transport, link) = (key.transportWord, key.linkWord)
    let unlabelled =
      key.version == .v4
      ? hash(key.ipv4Word, transport, link)
      : hash(key.source.high, key.source.low, key.destination.high, key.destination.low, transport, link)
    return hash(unlabelled, labels)
  }

  /// The hash of a key without its labels, taken on to these.
  func hash(_ hash: UInt64, _ labels: borrowing MPLSLabelStack) -> UInt64 {
    labels.reduceKey(hash) { Self.fold($0 ^ seeds.4, $1 ^ seeds.5) }
  }

  @inline(__always)
  static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}

/// A generator for where chance would be in the way (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}
