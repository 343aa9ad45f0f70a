// SPDX-License-Identifier: Apache-2.0

/// Picks places 0, 1, 2… with a probability of 1, 1/2, 1/3… (exponent 1), in constant time (Walker's alias method).
struct ZipfDistribution {
  private var threshold: [Float]
  private var alias: [UInt32]
  /// The sum of 1/n, by which the share of a place follows.
  let harmonic: Double

  init(count: Int) {
    harmonic = (1...count).reduce(0) { $0 + 1 / Double($1) }
    var share = [Double](repeating: 0, count: count)
    var (small, large): ([Int], [Int]) = ([], [])
    for place in 0..<count {
      share[place] = Double(count) / harmonic / Double(place + 1)
      if share[place] < 1 { small.append(place) } else { large.append(place) }
    }
    threshold = Array(repeating: 1, count: count)
    alias = Array(repeating: 0, count: count)
    while let less = small.last, let more = large.last {
      small.removeLast()
      threshold[less] = Float(share[less])
      alias[less] = UInt32(more)
      share[more] -= 1 - share[less]
      if share[more] < 1 {
        large.removeLast()
        small.append(more)
      }
    }
  }

  func pick(_ random: inout SplitMix) -> Int {
    let place = random.below(threshold.count)
    return Float(random.unit()) < threshold[place] ? place : Int(alias[place])
  }
}
