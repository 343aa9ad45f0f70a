// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import Glibc
internal import Synchronization

/// Metering what comes now.
extension Probe {
  /// One thread a source or several, one for conntrack, one that exports; they end in that order.
  func runLive(_ configuration: ProbeConfiguration) throws(SystemError) {
    // The one that exports comes first: whatever else cannot be started, what was metered leaves.
    let exporter = try WorkerThread(name: pulse.name, processor: configuration.exportProcessor) { self.export() }
    var failure: SystemError?
    do throws(SystemError) {
      try startSources(configuration)
      // Who may ask for changes finds all threads there.
      outlets.start(self)
      notifier.ready()
      Signals.waitForEnd(reloads: configuration.isReloadable, on: act) { stop() }
    } catch {
      failure = error
      stop()
    }
    let last = parts.withLock { $0 }
    for source in last.sources { source.join() }
    last.follower?.join()
    metersHaveStopped.store(true, ordering: .releasing)
    wake.call()
    exporter.join()
    outlets.stop()
    if let failure { throw failure }
  }

  /// Nobody holds on to those that were there first: a source that goes is closed.
  private func startSources(_ configuration: ProbeConfiguration) throws(SystemError) {
    let parts = parts.withLock { $0 }
    var threads = 0
    for source in parts.sources {
      try start(source, behind: threads, configuration)
      threads += source.lanes.count
    }
    try parts.follower?.start(isCrowded: wake.call)
  }

  /// - Parameter threads: how many meter the sources before it.
  func start(
    _ source: MeteredSource, behind threads: Int, _ configuration: ProbeConfiguration
  ) throws(SystemError) {
    try source.start(processor: { configuration.meteringProcessor(threads + $0) }, isCrowded: wake.call) { error in
      self.hasFailed.store(true, ordering: .relaxed)
      Console.say(error.description, .error)
      Signals.wakeMain()
    }
  }

  /// What the operator wants by a signal.
  private func act(_ wish: Signals.Wish) {
    switch wish {
    case .reload: reload()
    case .flows: outlets.writeFlows()
    }
  }

  /// A few times a second, and whenever a stripe is crowded.
  private func export() {
    var losses = LossReport()
    while !metersHaveStopped.load(ordering: .acquiring) {
      clock.adjust()
      if observed?.refresh() ?? false { tellOfInterfaces() }
      exporting.interfaceIndexes = observed?.indexes ?? [:]
      if !flushIfWanted() { exportAndMeasure(at: liveInstant) }
      exporting.table.prepareMemory()
      pulse.beat()
      takeOver()
      let parts = parts.withLock { $0 }
      for collector in parts.past.collectors { collector.tell() }
      losses.tell(parts)
      wake.wait(ExportPass.mostPause)
    }
    takeOver()
    exportAndMeasure(at: liveInstant, everything: true)
    finishDeliveries()
    exportHasEnded.store(true, ordering: .releasing)
  }

  /// Gives what waits for Collectors over TCP and TLS the time that there is at the end, to all at once, and completes
  /// files.
  func finishDeliveries() {
    let parts = parts.withLock { $0 }
    for collector in parts.collectors { collector.beginToFinish(within: Self.mostDelivering) }
    for collector in parts.collectors + parts.past.collectors {
      exportGoesOn()
      collector.finish(within: Self.mostDelivering)
    }
  }

  /// Milliseconds.
  static let mostDelivering: Int64 = 5000

  func tellOfInterfaces() {
    for collector in parts.withLock({ $0.collectors }) { collector.interfacesChanged() }
  }

  var liveInstant: ExportInstant { ExportInstant(clock) }
}
