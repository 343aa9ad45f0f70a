// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Packets into flows, as table and dictionary are both given them.
enum TablePass {
  static let packetsPerSecond = 100_000

  /// When a packet comes.
  static func time(_ packet: Int) -> Timestamp {
    Timestamp(milliseconds: 1_700_000_000_000 + Int64(packet / (packetsPerSecond / 1000)))
  }

  /// Counts packets, and measures that alone.
  ///
  /// - Parameters:
  ///   - packets: how many; rounded up to whole rings of batches.
  ///   - first: the number of the first packet, by which it has its time.
  ///   - pick: gives a packet's conversation by random numbers or by the packet's own number.
  static func run(
    _ subject: some FlowCounting, _ ring: BatchRing, packets: Int, from first: Int = 0,
    _ pick: (inout SplitMix, Int) -> Int
  ) -> Measurement {
    var random = SplitMix(seed: 7)
    var watch = Stopwatch()
    var next = first
    while next < first + packets {
      ring.fill(at: time(next)) {
        defer { next += 1 }
        return pick(&random, next)
      }
      watch.start()
      ring.update(subject)
      watch.stop()
    }
    let counted = FlowTotals(packets: UInt64(next - first))
    return Measurement(nanoseconds: watch.nanoseconds, operations: next - first, result: counted)
  }

  /// One packet for each of so many flows.
  static func add(flows: Int, to subject: some FlowCounting, _ ring: BatchRing) {
    _ = run(subject, ring, packets: flows) { $1 }
  }
}
