// SPDX-License-Identifier: Apache-2.0
//
// Asked once a Flow: nothing here allocates, throws, logs or reads a clock.

internal import Synchronization

/// Decides when a Flow begins whether it is exported when it ends (RFC 7014 section 4).
///
/// One a stripe, under its lock. What the stripes share is the number of Flows that have begun, so that of M Flows
/// exactly ⌊M/N⌋ are taken, in whichever stripes they are.
struct FlowSelector {
  private let interval: UInt64
  /// nil: by chance.
  private let numbers: FlowNumbers?
  private var generator: SplitMix64

  init(interval: Int, numbers: FlowNumbers?, seed: UInt64) {
    self.interval = UInt64(interval)
    self.numbers = numbers
    generator = SplitMix64(state: seed)
  }

  /// Whether the Flow that begins now is one of those to export.
  mutating func selects() -> Bool {
    if let numbers { return numbers.next() % interval == 0 }
    return generator.next(upperBound: interval) == 0
  }
}

/// How many Flows have begun in all stripes. Any thread.
final class FlowNumbers: Sendable {
  private let begun = Atomic<UInt64>(0)

  init() {}

  /// The number of the Flow that begins now, from 1.
  func next() -> UInt64 { begun.add(1, ordering: .relaxed).newValue }
}
