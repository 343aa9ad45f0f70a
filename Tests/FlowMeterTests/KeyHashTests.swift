// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

/// An attacker chooses addresses, ports, protocol and class of service of packets as he likes, and learns nothing of
/// the seeds: no choice may collide more often than chance has it.
@Suite("The hash of a Flow Key")
struct KeyHashTests {
  /// A key as the hash takes it: `words` of addresses, then transport and link.
  private struct Words {
    var words: [UInt64]

    func hash(_ hash: KeyHash) -> UInt64 {
      words.count == 3
        ? hash.hash(words[0], words[1], words[2])
        : hash.hash(words[0], words[1], words[2], words[3], words[4], words[5])
    }
  }

  /// Pairs of keys that differ as it would help where the hash is algebra without a secret.
  private static func pairs(words: Int, _ random: inout SplitMix64) -> [(Words, Words)] {
    var pairs: [(Words, Words)] = []
    let changes: [(UInt64) -> UInt64] = [
      { ~$0 }, { 0 &- $0 }, { $0 << 1 }, { $0 >> 1 }, { ($0 << 32) | ($0 >> 32) },
    ]
    func pair(_ first: [UInt64], _ second: [UInt64]) {
      if first != second { pairs.append((Words(words: first), Words(words: second))) }
    }
    // All zero too: it is the seeds themselves that are folded.
    for start in [[UInt64](repeating: 0, count: words), (0..<words).map { _ in random.next() }] {
      for word in 0..<words {
        for bit in 0..<64 {
          var other = start
          other[word] ^= 1 << UInt64(bit)
          pair(start, other)
          // The same bit of the neighbour too, and the next one: products of which would be equal or doubled.
          other[(word + 1) % words] ^= 1 << UInt64(bit)
          pair(start, other)
          other = start
          other[word] ^= 1 << UInt64(bit)
          other[(word + 1) % words] ^= 1 << UInt64((bit + 1) % 64)
          pair(start, other)
        }
        for (place, change) in changes.enumerated() {
          // Of a product with a complement three bits of four are those of the product. Nobody complements the link
          // word, half of which is the interface's index, and of the others there is another product.
          if place == 0, word == words - 1 { continue }
          var other = start
          other[word] = change(other[word])
          pair(start, other)
          other[(word + 1) % words] = change(other[(word + 1) % words])
          pair(start, other)
        }
        for second in 0..<word {
          var other = start
          other.swapAt(word, second)
          pair(start, other)
          // Both by the same, so that their sum or their difference stays.
          other = start
          (other[word], other[second]) = (other[word] &+ 1, other[second] &- 1)
          pair(start, other)
        }
      }
      if words == 6 { pair(start, [start[2], start[3], start[0], start[1], start[4], start[5]]) }
    }
    return pairs
  }

  @Test(
    "no keys that packets can have collide under many seeds, in none of the bits that the table uses",
    arguments: [3, 6])
  func pairs(words: Int) {
    var random = SplitMix64(state: 7)
    let pairs = Self.pairs(words: words, &random)
    #expect(pairs.count > 1000)
    let seeds = 2048
    let hashes = (0..<seeds).map { _ in KeyHash(using: &random) }
    // 8 bits each: stripe and what is above it, the top of the tag, which is the place, and its low end.
    let windows: [UInt64] = [56, 40, 24, 16, 0]
    var (worst, most) = ("", 0)
    for (first, second) in pairs {
      var (whole, tags) = (0, 0)
      var counts = [Int](repeating: 0, count: windows.count)
      for hash in hashes {
        let difference = first.hash(hash) ^ second.hash(hash)
        if difference == 0 { whole += 1 }
        if UInt32(truncatingIfNeeded: difference) == 0 { tags += 1 }
        for (place, shift) in windows.enumerated() where difference >> shift & 255 == 0 { counts[place] += 1 }
      }
      #expect(whole == 0, "\(first.words) \(second.words)")
      #expect(tags == 0, "\(first.words) \(second.words)")
      if let highest = counts.max(), highest > most { (worst, most) = ("\(first.words) \(second.words)", highest) }
    }
    // 8 of 2048 are chance; 32 or more come once in 10¹⁰ tries.
    #expect(most < 32, "\(worst)")
  }

  /// Families of keys that a program writes down without effort, 4096 of each.
  private static let families: [(name: String, key: @Sendable (UInt64) -> [UInt64])] = [
    ("source ports", { [0x0264_33c6_0102_00c0, $0 | 0x4_0011_0050_0000, 0] }),
    ("destination ports", { [0x0264_33c6_0102_00c0, $0 << 16 | 0x4_0011_0000_1234, 0] }),
    ("source addresses", { [0x0264_33c6_0000_000a | ($0 & 255) << 24 | ($0 >> 8) << 16, 0x4_0011_0035_1234, 0] }),
    ("high ends of both", { [$0 << 52, 0x4_0011_0035_1234, 0] }),
    ("bits of both", { [$0 & 63 | ($0 >> 6) << 58, 0x4_0011_0035_1234, 0] }),
    ("address against port", { [0x0264_33c6_0102_00c0 &+ $0, 0x4_0011_0035_1234 &- $0, 0] }),
    ("the same in both", { [$0 << 48 | $0, 0x4_0011_0000_0000 | $0 << 16 | $0, 0] }),
    ("IPv6 hosts of a network", { [0xb80d_0120, $0 << 48, 0xb80d_0120, 1, 0x6_0011_0035_1234, 0] }),
    ("IPv6 networks", { [0xb80d_0120 | $0 << 48, 1, 0xb80d_0120, 1, 0x6_0011_0035_1234, 0] }),
    ("IPv6 both ends alike", { [0xb80d_0120, $0, 0xb80d_0120, $0, 0x6_0011_0035_1234, 0] }),
  ]

  @Test("keys in any simple order spread over stripes and places as chance would have them, under every seed")
  func families() {
    var random = SplitMix64(state: 8)
    for (name, key) in Self.families {
      for _ in 0..<16 {
        let hash = KeyHash(using: &random)
        var (stripes, places) = ([Int](repeating: 0, count: 16), [Int](repeating: 0, count: 4096))
        for number in 0..<UInt64(4096) {
          let value = Words(words: key(number)).hash(hash)
          stripes[Int(value >> 60)] += 1
          places[Int(FlowIndex.tag(value) >> 20)] += 1
        }
        // 256 a stripe, 1 a place: beyond these is a chance below 10⁻⁹.
        #expect(stripes.max() ?? 0 < 360, "\(name)")
        #expect(places.max() ?? 0 < 14, "\(name)")
      }
    }
  }

  /// The packets of as many keys whose places are the same under a seed that is not the table's.
  private static func flood(aimedAt guess: KeyHash?, _ count: Int) -> [UInt64] {
    var (number, keys) = (UInt64(0), [UInt64]())
    while keys.count < count {
      number += 1
      // The low bits are the source port, the others a source address.
      let address = UInt64(10) | (number >> 16) << 8 | 0x0264_33c6_0000_0000
      let hash = guess?.hash(address, number & 0xffff | 0x4_0011_0035_0000, 0)
      if hash == nil || hash! & 0xf000_0000_fc00_0000 == 0 { keys.append(number) }
    }
    return keys
  }

  /// How many entries of the index are looked at for each packet beside its own.
  private func searched(_ keys: [UInt64], seed: UInt64?) throws -> Double {
    var configuration = FlowTable.Configuration()
    configuration.hashSeed = seed
    let table = try FlowTable(configuration)
    var batch = PacketBatch()
    var searched: UInt64 = 0
    for _ in 0..<2 {
      for key in keys {
        var packet = Packets.udp
        (packet[12], packet[13], packet[14], packet[15]) = (
          10, UInt8(key >> 16 & 0xff), UInt8(key >> 24 & 0xff), UInt8(key >> 32 & 0xff)
        )
        packet[1] = 0
        (packet[20], packet[21], packet[22], packet[23]) = (UInt8(key >> 8 & 0xff), UInt8(key & 0xff), 0, 0x35)
        batch.append(packet, at: 1000)
        if batch.isFull {
          searched += table.update(batch).searched
          batch.reset(at: Timestamp(milliseconds: 1000))
        }
      }
    }
    searched += table.update(batch).searched
    #expect(table.statistics.active == keys.count)
    return Double(searched) / Double(2 * keys.count)
  }

  @Test("keys aimed at one place under a guessed seed cost what others cost, and under that seed they would hurt")
  func flooding() throws {
    let aimed = Self.flood(aimedAt: KeyHash(seed: 1), 300)
    let others = Self.flood(aimedAt: nil, 300)
    // The aim is true: with the seed that was guessed they stand one behind the other.
    #expect(try searched(aimed, seed: 1) > 50)
    for _ in 0..<8 {
      #expect(try searched(aimed, seed: nil) < 1)
      #expect(try searched(others, seed: nil) < 1)
    }
  }

  /// Where an index of 4096 places looks, from either end of the hash.
  private func places(_ hash: UInt64) -> [UInt64] { [hash & 0xfff, hash >> 52] }

  @Test("packets that are aimed at one place under one seed spread under another", arguments: [0, 1])
  func aimed(end: Int) {
    let (known, other) = (KeyHash(seed: 7), KeyHash(seed: 8))
    let aimed = (0..<1_000_000 as Range<UInt64>).lazy.filter { places(known.hash($0, 17 << 32 | 53, 0))[end] == 42 }
      .prefix(200)
    #expect(aimed.count > 150)
    // 200 in 4096 places by chance: some five meet.
    #expect(Set(aimed.map { places(other.hash($0, 17 << 32 | 53, 0))[end] }).count > 180)
  }

  @Test(
    "without a seed of the operator's each table has its own, from the system's random numbers",
    arguments: [IPVersion.v4, .v6])
  func seeds(version: IPVersion) throws {
    var key = FlowKey()
    key.version = version
    let hashes = Set((0..<100).map { _ in KeyHash().hash(key, MPLSLabelStack()) })
    #expect(hashes.count == 100)
    // Of 64 bits none is the same in all.
    #expect(hashes.reduce(~0, &) == 0 && hashes.reduce(0, |) == ~0)
  }
}
