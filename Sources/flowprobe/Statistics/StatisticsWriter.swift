// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// The thread that writes the statistics files: all but the flows once a second, and those when somebody asks.
///
/// It reads the parts' own counters and holds nothing up: what cannot be written is told once a minute.
final class StatisticsWriter: Sendable {
  static let proc = "ipt_netflow"
  static let snmp = "ipt_netflow_snmp"
  static let flows = "ipt_netflow_flows"
  static let prometheus = "flowprobe.prom"

  private let directory: String
  private let isStopping = Atomic<Bool>(false)
  private let flowsAreWanted = Atomic<Bool>(false)
  private let wake = WakeUp()

  init(directory: String) { self.directory = directory }

  /// Has the active Flows written soon. Any thread.
  func writeFlows() {
    flowsAreWanted.store(true, ordering: .releasing)
    wake.call()
  }

  /// Ends ``run(_:table:now:)`` once it has written the last state. Any thread.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    wake.call()
  }

  /// Writes until ``stop()``.
  ///
  /// - Parameters:
  ///   - gather: asked for the statistics about once a second.
  ///   - table: asked for the table when its flows are to be written.
  ///   - now: the table's time.
  func run(_ gather: () -> ProbeStatistics, table: () -> FlowTable, now: () -> Timestamp) {
    var round = Round(directory)
    while !isStopping.load(ordering: .acquiring) {
      round.write(gather)
      if flowsAreWanted.exchange(false, ordering: .acquiring) {
        round.writeFlows(table(), now, gather) { !isStopping.load(ordering: .relaxed) }
      }
      wake.wait(.milliseconds(round.pause))
    }
    round.writeLast(gather)
  }
}

/// What ``StatisticsWriter`` has and does, on its thread.
private struct Round: ~Copyable {
  private static let interval: Int64 = 1000

  private var files: StatisticsFiles
  private var meters = ProbeMeters()
  private var next = Timestamp.monotonicClock()
  private var told: (error: StatisticsError, next: Timestamp)?

  init(_ directory: String) { files = StatisticsFiles(directory: directory) }

  /// Milliseconds to the next second.
  var pause: Int64 { max(0, next.milliseconds - Timestamp.monotonicClock().milliseconds) }

  /// Where a second has passed.
  mutating func write(_ gather: () -> ProbeStatistics) {
    let now = Timestamp.monotonicClock()
    guard now >= next else { return }
    next = max(now, next).advanced(byMilliseconds: Self.interval)
    write(gather())
  }

  mutating func writeLast(_ gather: () -> ProbeStatistics) {
    var statistics = gather()
    statistics.isRunning = false
    write(statistics)
  }

  private mutating func write(_ statistics: ProbeStatistics) {
    meters.note(statistics)
    let rates = meters.rates
    do throws(StatisticsError) {
      try files.replace(StatisticsWriter.proc, by: ProcStatistics.text(statistics, rates))
      try files.replace(StatisticsWriter.snmp, by: SNMPStatistics.text(statistics, rates))
      try files.replace(StatisticsWriter.prometheus, by: PrometheusText.text(statistics))
      told = nil
    } catch {
      tell(error)
    }
  }

  /// May take a while: the other files go on meanwhile.
  mutating func writeFlows(
    _ table: FlowTable, _ now: () -> Timestamp, _ gather: () -> ProbeStatistics, while goesOn: () -> Bool
  ) {
    do throws(StatisticsError) {
      var file = try files.begin(StatisticsWriter.flows)
      var dump = FlowsDump(gather().program)
      var isWritten = file.write(dump.heading)
      while isWritten, let lines = dump.nextLines(of: table, at: now()) {
        guard goesOn() else { return files.abandon(file) }
        isWritten = file.write(lines)
        write(gather)
      }
      try files.finish(file)
    } catch {
      tell(error)
    }
  }

  private mutating func tell(_ error: StatisticsError) {
    let now = Timestamp.monotonicClock()
    if let told, told.error == error, now < told.next { return }
    Console.say(error.description)
    // Another one's directory is no trouble that goes on.
    let pause: Int64 = if case .taken = error { .max / 4 } else { 60_000 }
    told = (error, now.advanced(byMilliseconds: pause))
  }
}
