// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// What the metrics server answers: the statistics at `/metrics`, whether all is well at `/healthz`, and at `/` which
/// pages there are. Any thread.
final class MetricsPages: Sendable {
  /// How long the statistics are served as they were gathered: whoever asks how often, they are gathered once in it.
  static let interval: Int64 = 1000

  private let gather: @Sendable () -> ProbeStatistics
  private let health: ProbeHealth
  private let metrics = Mutex<(text: String, until: Timestamp)?>(nil)

  init(_ health: ProbeHealth, _ gather: @escaping @Sendable () -> ProbeStatistics) {
    self.health = health
    self.gather = gather
  }

  /// - Parameters:
  ///   - path: of the URL, without a query.
  ///   - now: by the monotonic clock.
  func page(_ path: String, at now: Timestamp = .monotonicClock()) -> HTTPPage {
    switch path {
    case "/metrics":
      return HTTPPage(status: 200, type: "text/plain; version=0.0.4; charset=utf-8", text: text(at: now))
    case "/healthz":
      guard let trouble = health.trouble(at: now) else { return HTTPPage(status: 200, text: "ok\n") }
      return HTTPPage(status: 503, text: trouble + "\n")
    case "/":
      return HTTPPage(
        status: 200,
        text:
          "flowprobe \(Flowprobe.version)\n/metrics has the statistics for Prometheus, /healthz says whether all is well.\n"
      )
    default: return HTTPPage(status: 404, text: "there is no such page; see /metrics and /healthz\n")
    }
  }

  private func text(at now: Timestamp) -> String {
    metrics.withLock { known in
      if let known, now < known.until { return known.text }
      let text = PrometheusText.text(gather())
      known = (text, now.advanced(byMilliseconds: Self.interval))
      return text
    }
  }
}
