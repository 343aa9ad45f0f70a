// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("The seeds of a key's hash")
struct KeyHashSeedTests {
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

  @Test("two programs have two seeds")
  func seeds() {
    #expect(KeyHash().hash(1, 2, 3) != KeyHash().hash(1, 2, 3))
    #expect(KeyHash().hash(1, 2, 3, 4, 5, 6) != KeyHash().hash(1, 2, 3, 4, 5, 6))
  }
}
