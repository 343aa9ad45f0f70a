// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// The thread that feeds the statistics' rates once a second and writes the files, where there are any: all but the
/// flows once a second, and those when somebody asks.
///
/// It reads the parts' own counters and holds nothing up: what cannot be written is told once a minute.
final class StatisticsWriter: Sendable {
  static let proc = "ipt_netflow"
  static let snmp = "ipt_netflow_snmp"
  static let flows = "ipt_netflow_flows"
  static let prometheus = "flowprobe.prom"

  /// Nil: no files are written.
  let directory: String?
  private let isStopping = Atomic<Bool>(false)
  private let flowsAreWanted = Atomic<Bool>(false)
  private let wake = WakeUp()

  init(directory: String?) { self.directory = directory }

  /// Has the active Flows written soon. Any thread.
  func writeFlows() {
    flowsAreWanted.store(true, ordering: .releasing)
    wake.call()
  }

  /// Ends ``run(_:table:now:everySecond:)`` once it has written the last state. Any thread.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    wake.call()
  }

  /// Writes until ``stop()``.
  ///
  /// - Parameters:
  ///   - sampler: ticks once a second.
  ///   - table: asked for the table when its flows are to be written.
  ///   - now: the table's time.
  ///   - everySecond: called with each tick.
  func run(
    _ sampler: StatisticsSampler, table: () -> FlowTable, now: () -> Timestamp, everySecond: () -> Void = {}
  ) {
    var round = Round(directory, sampler)
    while !isStopping.load(ordering: .acquiring) {
      round.tick(everySecond)
      if flowsAreWanted.exchange(false, ordering: .acquiring) {
        round.writeFlows(table(), now, everySecond) { !isStopping.load(ordering: .relaxed) }
      }
      wake.wait(.milliseconds(round.pause))
    }
    round.writeLast()
  }
}

/// What ``StatisticsWriter`` has and does, on its thread.
private struct Round: ~Copyable {
  private static let interval: Int64 = 1000

  private let sampler: StatisticsSampler
  private let writesFiles: Bool
  private var files: StatisticsFiles
  private var next = Timestamp.monotonicClock()
  private var told: (error: StatisticsError, next: Timestamp)?

  init(_ directory: String?, _ sampler: StatisticsSampler) {
    self.sampler = sampler
    writesFiles = directory != nil
    files = StatisticsFiles(directory: directory ?? "")
  }

  /// Milliseconds to the next second.
  var pause: Int64 { max(0, next.milliseconds - Timestamp.monotonicClock().milliseconds) }

  /// Where a second has passed.
  mutating func tick(_ everySecond: () -> Void) {
    let now = Timestamp.monotonicClock()
    guard now >= next else { return }
    next = max(now, next).advanced(byMilliseconds: Self.interval)
    let (statistics, rates) = sampler.tick()
    everySecond()
    write(statistics, rates)
  }

  mutating func writeLast() {
    var (statistics, rates) = sampler.tick()
    statistics.isRunning = false
    write(statistics, rates)
  }

  private mutating func write(_ statistics: ProbeStatistics, _ rates: ProbeRates) {
    guard writesFiles else { return }
    do throws(StatisticsError) {
      try files.replace(StatisticsWriter.proc, by: ProcStatistics.text(statistics, rates))
      try files.replace(StatisticsWriter.snmp, by: SNMPStatistics.text(statistics, rates))
      try files.replace(StatisticsWriter.prometheus, by: PrometheusText.text(statistics))
      told = nil
    } catch {
      tell(error)
    }
  }

  /// May take a while: the rest goes on meanwhile.
  mutating func writeFlows(
    _ table: FlowTable, _ now: () -> Timestamp, _ everySecond: () -> Void, while goesOn: () -> Bool
  ) {
    guard writesFiles else { return }
    do throws(StatisticsError) {
      var file = try files.begin(StatisticsWriter.flows)
      var dump = FlowsDump(sampler.statistics.program)
      var isWritten = file.write(dump.heading)
      while isWritten, let lines = dump.nextLines(of: table, at: now()) {
        guard goesOn() else { return files.abandon(file) }
        isWritten = file.write(lines)
        tick(everySecond)
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
