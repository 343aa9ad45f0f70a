// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// Feeds the service manager's watchdog while the export goes on, and tells it now and then how much there is to do.
///
/// It sits beside the Collectors: each pass of the export and each lot of records comes by here, so that a long pass is
/// no hung one. Belongs to the exporting thread.
final class ServiceReport: FlowRecordConsumer {
  /// Milliseconds between two lines of status.
  private static let interval: Int64 = 10_000

  private let notifier: ServiceNotifier
  private let parts: () -> ProbeParts
  /// Milliseconds between two meals: a quarter of the time that the watchdog waits. sd_watchdog_enabled(3) advises half
  /// of it; a lot of records may take a while.
  private let watchdogInterval: Int64?
  private var nextMeal = Timestamp.monotonicClock()
  private var nextStatus = Timestamp.monotonicClock().advanced(byMilliseconds: interval)
  private var known: (packets: UInt64, at: Timestamp) = (0, .monotonicClock())

  init(_ notifier: ServiceNotifier, _ parts: @escaping () -> ProbeParts) {
    self.notifier = notifier
    self.parts = parts
    watchdogInterval = notifier.watchdogTime.map { max(1, ($0 / 4).milliseconds) }
  }

  func begin(at instant: ExportInstant) { tell() }

  func consume(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) { tell() }

  func consume(_ events: [NATEvent], at instant: ExportInstant) { tell() }

  func flush(at instant: ExportInstant) { tell() }

  /// What is due.
  func tell() {
    let now = Timestamp.monotonicClock()
    if let watchdogInterval, now >= nextMeal {
      nextMeal = now.advanced(byMilliseconds: watchdogInterval)
      notifier.watchdog()
    }
    guard now >= nextStatus else { return }
    nextStatus = now.advanced(byMilliseconds: Self.interval)
    let parts = parts()
    let packets = parts.metered.meteredPackets
    let milliseconds = UInt64(max(1, now.milliseconds - known.at.milliseconds))
    notifier.status(Self.text(parts.tableStatistics.active, packets.less(known.packets) * 1000 / milliseconds))
    known = (packets, now)
  }

  static func text(_ flows: Int, _ packetRate: UInt64) -> String {
    "\(flows) active flows, \(packetRate) packets a second"
  }
}
