// SPDX-License-Identifier: Apache-2.0

/// How much memory a process had, and when.
struct MemoryCourse {
  private var samples: [(seconds: Double, bytes: Int)] = []

  mutating func note(_ bytes: Int) { samples.append((Clock.seconds, bytes)) }

  /// The most in the first and in the last quarter of the time.
  var quarters: (first: Int, last: Int) {
    guard let begin = samples.first?.seconds, let end = samples.last?.seconds else { return (0, 0) }
    let quarter = (end - begin) / 4
    return (
      samples.filter { $0.seconds <= begin + quarter }.map(\.bytes).max() ?? 0,
      samples.filter { $0.seconds >= end - quarter }.map(\.bytes).max() ?? 0
    )
  }
}
