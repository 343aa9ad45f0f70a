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
      Signals.waitForEnd { stop() }
    } catch {
      failure = error
      stop()
    }
    for meter in meters { meter.join() }
    metersHaveStopped.store(true, ordering: .releasing)
    wake.call()
    exporter.join()
    if let failure { throw failure }
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
      try drain(process)
    } catch {
      hasFailed.store(true, ordering: .relaxed)
      Console.say(error.description)
      Signals.wakeMain()
    }
    process.finish()
  }

  private func followConnections() {
    guard let conntrack else { return }
    while !isStopping.load(ordering: .relaxed) {
      if conntrack.receive(timeout: .milliseconds(100)) { wake.call() }
    }
    // What the kernel still holds for us was there before the signal.
    let end = Timestamp.monotonicClock().advanced(byMilliseconds: 300)
    while Timestamp.monotonicClock() < end { _ = conntrack.receive(timeout: .milliseconds(100)) }
  }

  private func drain(_ process: MeteringProcess) throws(CaptureError) {
    let end = Timestamp.monotonicClock().advanced(byMilliseconds: 300)
    while Timestamp.monotonicClock() < end {
      _ = try process.meter(timeout: .milliseconds(100))
    }
  }

  /// A few times a second, and whenever a stripe is crowded.
  private func export() {
    var losses = LossReport(table, counters, translations, natEvents)
    while !metersHaveStopped.load(ordering: .acquiring) {
      clock.adjust()
      if observed?.refresh() ?? false { for collector in collectors { collector.interfacesChanged() } }
      exporting.interfaceIndexes = observed?.indexes ?? [:]
      exporting.export(at: liveInstant)
      losses.tell()
      wake.wait(.milliseconds(100))
    }
    exporting.export(at: liveInstant, everything: true)
  }

  private var liveInstant: ExportInstant {
    ExportInstant(now: clock.now, boot: clock.zero, shift: clock.shift)
  }
}
