// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Synchronization

/// Metering what comes now.
extension Probe {
  /// One thread a source, one for conntrack, one that exports; they end in that order.
  func runLive() throws(SystemError) {
    // The one that exports comes first: whatever else cannot be started, what was metered leaves.
    let exporter = try WorkerThread(name: "export", processor: configuration.exportProcessor) { self.export() }
    let writer = startStatistics()
    var meters: [WorkerThread] = []
    var failure: SystemError?
    do throws(SystemError) {
      for (place, source) in sources.enumerated() {
        meters.append(
          try WorkerThread(name: "meter \(source.name)", processor: meteringProcessor(place)) {
            self.meter(self.metering[place], self.sources[place].name)
          })
      }
      if conntrack != nil { meters.append(try WorkerThread(name: "conntrack") { self.followConnections() }) }
      Signals.waitForEnd(onUserSignal: writeFlows) { stop() }
    } catch {
      failure = error
      stop()
    }
    for meter in meters { meter.join() }
    metersHaveStopped.store(true, ordering: .releasing)
    wake.call()
    exporter.join()
    statistics?.stop()
    writer?.join()
    if let failure { throw failure }
  }

  /// Without them packets are metered all the same.
  private func startStatistics() -> WorkerThread? {
    guard let statistics else { return nil }
    // Before the thread asks for them: what is lazy is not for two threads at once.
    _ = (meterNames, program)
    do throws(SystemError) {
      return try WorkerThread(name: "statistics") {
        statistics.run({ self.gatherStatistics() }, table: self.table, now: { self.clock.now })
      }
    } catch {
      Console.say("cannot start a thread for statistics: \(error); there are no statistics files")
      return nil
    }
  }

  /// The operator's SIGUSR1.
  private func writeFlows() {
    guard let statistics else {
      return Console.say("there is no directory to write the flows to; give it with --stat-dir")
    }
    statistics.writeFlows()
  }

  private func meter(_ process: MeteringProcess, _ name: String) {
    do throws(CaptureError) {
      while !isStopping.load(ordering: .relaxed) {
        let (outcome, isCrowded) = try process.meter(timeout: .milliseconds(100))
        switch outcome {
        case .more, .end: break
        case .interrupted(let error): Console.say(error.description)
        case .resumed: Console.say("interface '\(name)' is back")
        }
        if isCrowded { wake.call() }
      }
      // What the kernel still holds for us was there before the signal.
      try process.drain()
    } catch {
      hasFailed.store(true, ordering: .relaxed)
      Console.say(error.description)
      Signals.wakeMain()
    }
    process.finish()
  }

  private func followConnections() {
    guard let conntrack else { return }
    var nextWord = Timestamp.monotonicClock()
    while !isStopping.load(ordering: .relaxed) {
      if conntrack.receive(timeout: .milliseconds(100)) { wake.call() }
      if let trouble = conntrack.trouble, Timestamp.monotonicClock() >= nextWord {
        nextWord = Timestamp.monotonicClock().advanced(byMilliseconds: 60_000)
        Console.say("cannot list conntrack's table: \(trouble); connections that ended without an event are not found")
      }
    }
    conntrack.finish(within: .seconds(3)) { self.wake.call() }
  }

  /// A few times a second, and whenever a stripe is crowded.
  private func export() {
    var losses = LossReport(table, counters, translations, natEvents)
    while !metersHaveStopped.load(ordering: .acquiring) {
      clock.adjust()
      if observed?.refresh() ?? false { for collector in collectors { collector.interfacesChanged() } }
      exporting.interfaceIndexes = observed?.indexes ?? [:]
      exportAndMeasure(at: liveInstant)
      losses.tell()
      wake.wait(ExportPass.mostPause)
    }
    exportAndMeasure(at: liveInstant, everything: true)
  }

  private var liveInstant: ExportInstant {
    ExportInstant(now: clock.now, boot: clock.zero, shift: clock.shift)
  }
}
