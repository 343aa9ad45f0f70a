// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter  // Its Mutex, where ThreadSanitizer watches.
internal import Synchronization

/// The statistics for whoever asks, with rates that are fed once a second. Any thread.
final class StatisticsSampler: Sendable {
  private struct State {
    var meters = ProbeMeters()
    var rates = ProbeRates()
  }

  private let gather: @Sendable () -> ProbeStatistics
  private let state = Mutex(State())

  /// - Parameter gather: reads the parts' counters; any thread.
  init(_ gather: @escaping @Sendable () -> ProbeStatistics) { self.gather = gather }

  /// The statistics of this moment.
  var statistics: ProbeStatistics { gather() }

  /// How fast things went at the last ``tick()``.
  var rates: ProbeRates { state.withLock { $0.rates } }

  /// Called once a second by one thread: feeds the rates.
  @discardableResult
  func tick() -> (statistics: ProbeStatistics, rates: ProbeRates) {
    let statistics = gather()
    return state.withLock {
      $0.meters.note(statistics)
      $0.rates = $0.meters.rates
      return (statistics, $0.rates)
    }
  }
}
