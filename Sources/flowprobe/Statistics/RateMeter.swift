// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// How a total grows: it is fed with the total now and then, and says what came in the last seconds or minutes.
///
/// Held are the totals of the longest time that is asked for, so an average is that of its very time and not one that
/// fades. A value: it reads no clock.
struct RateMeter {
  private struct Sample {
    var time: Timestamp
    var total: UInt64
  }

  /// What came within a time.
  struct Growth: Equatable {
    var amount: UInt64 = 0
    var milliseconds: Int64 = 0

    /// Rounded down; 0 of no time.
    func perSecond(times factor: Double = 1) -> UInt64 {
      milliseconds > 0 ? UInt64(saturating: Double(amount) * factor * 1000 / Double(milliseconds)) : 0
    }
  }

  private let span: Int64
  /// Oldest first; the first `head` are forgotten.
  private var samples: [Sample] = []
  private var head = 0

  /// - Parameter span: the longest time that will be asked for.
  init(span: Duration) { self.span = span.milliseconds }

  /// Takes the total as it is at `time`, no earlier than the last one.
  mutating func note(_ total: UInt64, at time: Timestamp) {
    samples.append(Sample(time: time, total: total))
    // The newest of those that are older than the span stays: the span begins behind it.
    while head + 1 < samples.count, time.milliseconds - samples[head + 1].time.milliseconds >= span { head += 1 }
    if head > 64, head * 2 > samples.count {
      samples.removeFirst(head)
      head = 0
    }
  }

  /// What came from the last sample but `time` earlier, or from the first one, until the last.
  func growth(over time: Duration) -> Growth {
    guard let last = samples.last else { return Growth() }
    let begin = last.time.advanced(byMilliseconds: -time.milliseconds)
    // The first place whose sample is later than `begin`.
    var (low, high) = (head, samples.count)
    while low < high {
      let middle = (low + high) / 2
      if samples[middle].time > begin { high = middle } else { low = middle + 1 }
    }
    let first = samples[max(head, low - 1)]
    return Growth(
      amount: last.total.less(first.total), milliseconds: last.time.milliseconds - first.time.milliseconds)
  }
}
