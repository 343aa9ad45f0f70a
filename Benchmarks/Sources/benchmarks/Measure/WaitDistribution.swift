// SPDX-License-Identifier: Apache-2.0

/// How long things waited: counts by steps of a sixteenth.
struct WaitDistribution {
  private static let bits = 4
  private var counts = [UInt64](repeating: 0, count: 64 << bits)
  private(set) var longest: UInt64 = 0

  /// - Parameter nanoseconds: how long each of `count` things waited.
  mutating func add(_ nanoseconds: UInt64, count: Int = 1) {
    counts[Self.step(nanoseconds)] += UInt64(count)
    longest = max(longest, nanoseconds)
  }

  mutating func add(_ other: WaitDistribution) {
    for step in counts.indices { counts[step] += other.counts[step] }
    longest = max(longest, other.longest)
  }

  /// Below what so large a share of the waits is. Nanoseconds.
  func quantile(_ share: Double) -> UInt64 {
    let wanted = UInt64((Double(counts.reduce(0, +)) * share).rounded(.up))
    var sum: UInt64 = 0
    for step in counts.indices {
      sum += counts[step]
      if sum >= wanted, sum > 0 { return min(longest, Self.bound(step)) }
    }
    return longest
  }

  private static func step(_ value: UInt64) -> Int {
    let exponent = max(0, 63 - value.leadingZeroBitCount - bits)
    return exponent << bits + Int(value >> UInt64(exponent))
  }

  /// What all values of a step are below or equal to.
  private static func bound(_ step: Int) -> UInt64 {
    let exponent = max(0, step >> bits - 1)
    return UInt64(step - exponent << bits + 1) << UInt64(exponent) - 1
  }
}
