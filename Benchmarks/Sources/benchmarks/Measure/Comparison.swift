// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What one pass did and how long it took.
struct Measurement {
  var nanoseconds: UInt64
  var operations: Int
  /// What came out of it: has to be the same on both sides, so that neither leaves work out.
  var result: FlowTotals

  var perOperation: Double { Double(nanoseconds) / Double(operations) }
}

/// flowprobe's code and another way to do the same work, in turn.
///
/// The machine's speed drifts, so each round's two figures make one ratio, and the median of those is what counts.
struct Comparison {
  var name: String
  var flowprobe: [Double] = []
  var other: [Double] = []

  /// Runs both sides `rounds` times; who goes first alternates. A first round warms up and is not counted.
  init(
    _ name: String, rounds: Int, flowprobe: () -> Measurement, other: () -> Measurement
  ) throws(BenchmarkError) {
    self.name = name
    for round in 0...rounds {
      let (mine, theirs): (Measurement, Measurement)
      if round % 2 == 0 {
        mine = flowprobe()
        theirs = other()
      } else {
        theirs = other()
        mine = flowprobe()
      }
      guard mine.result == theirs.result else {
        throw BenchmarkError("\(name): flowprobe counts \(mine.result), the other side \(theirs.result)")
      }
      guard round > 0 else { continue }
      self.flowprobe.append(mine.perOperation)
      self.other.append(theirs.perOperation)
    }
  }

  var ratio: Double { median(zip(flowprobe, other).map { $0 / $1 }) }

  /// What stands under ``columns(_:other:)``.
  var row: Row {
    [name, decimal(median(flowprobe), 1), decimal(median(other), 1), decimal(ratio, 2)]
  }

  static func columns(_ unit: String, other: String) -> Row {
    [unit, "flowprobe", other, "flowprobe / \(other)"]
  }
}

func median(_ values: [Double]) -> Double {
  precondition(!values.isEmpty)
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
