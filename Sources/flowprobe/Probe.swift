// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Glibc
internal import Synchronization

/// The parts of the program, built from the configuration: it starts them, waits, and stops them in order, so that
/// everything metered is exported.
final class Probe: @unchecked Sendable {
  private let configuration: ProbeConfiguration
  private let table: FlowTable
  private let clock = MeteringClock()
  private let started = Timestamp.wallClock()
  private let ownSessions = OwnSessions()
  private let isStopping = Atomic<Bool>(false)
  private let hasFailed = Atomic<Bool>(false)
  private let wake = WakeUp()

  // Each belongs to its thread once run() has started it.
  private var sources: [any PacketSource] = []
  private var file: CaptureFile?
  private var conntrack: ConntrackEvents?
  private var translations: NATTable?
  private var natEvents: NATEventLog?
  private var counters: [MeteringCounters] = []
  private var metering: [MeteringProcess] = []
  private var collectors: [CollectorExporter] = []
  private var exporting: ExportingProcess!
  private var observed: ObservedInterfaces?
  private var fileBoot: Timestamp?
  private let metersHaveStopped = Atomic<Bool>(false)

  /// Opens the sources; a Collector that cannot be reached is no error.
  init(_ configuration: ProbeConfiguration, _ table: FlowTable) throws(CaptureError) {
    self.configuration = configuration
    self.table = table
    if configuration.exportsNATEvents || configuration.completesRecords {
      var connections = NATTable.Configuration()
      if configuration.completesRecords {
        // A Flow is reported that long after its last packet at the latest, and a sweep takes a moment.
        connections.memory += configuration.table.expiration.inactiveTimeout
      }
      translations = NATTable(connections)
    }
    if configuration.exportsNATEvents { natEvents = NATEventLog() }
    switch configuration.source {
    case .file(let path):
      let file = try CaptureFile(path: path, filter: configuration.filter, details: configuration.details)
      self.file = file
      sources = [file]
      makeExporters(sources: 1)
    case .live(let interfaces, let groups):
      // A destination's name may take a while to look up: before the first packet is captured.
      makeExporters(sources: interfaces.count + groups.count)
      for name in interfaces {
        sources.append(try CaptureInterface(name: name, configuration.capture, clock: clock))
      }
      if let translations {
        conntrack = try ConntrackEvents(
          table: translations, log: natEvents, configuration.conntrack, clock: clock)
        if natEvents != nil { for notice in ConntrackSettings().notices { Console.say(notice) } }
      }
      for group in groups {
        sources.append(
          try NFLogSource(
            group: group, configuration.nflog, clock: clock,
            translations: configuration.completesRecords ? translations : nil))
      }
      followInterfaces()
    }
    for (source, counters) in zip(sources, counters) {
      metering.append(
        MeteringProcess(
          source: source, table: table, fragments: configuration.fragments, counters: counters,
          ownSessions: file == nil ? ownSessions : nil, clock: file == nil ? clock : nil))
    }
  }

  private func makeExporters(sources: Int) {
    counters = (0..<sources).map { _ in MeteringCounters() }
    collectors = configuration.destinations.enumerated().map { number, destination in
      CollectorExporter(
        to: destination, configuration.export, number: number, ownSessions: ownSessions,
        context: { [unowned self] in context }, report: { Console.say($0.description) })
    }
    let printer = FlowPrinter(json: configuration.printsJSON ? configuration.export.natEventCodes : nil) {
      [weak self] in self?.outputIsClosed($0)
    }
    exporting = ExportingProcess(
      table: table, consumers: collectors.isEmpty ? [printer] : collectors,
      translations: configuration.completesRecords ? translations : nil, natEvents: natEvents)
  }

  private var context: ExporterContext {
    var context = ExporterContext()
    let statistics = table.statistics
    context.started = started
    context.observedFlows = statistics.created
    context.lostInTable = statistics.lost
    for counters in counters {
      let statistics = counters.statistics
      context.ignoredPackets +=
        statistics.kernelDrops + statistics.unmeteredPackets - statistics[.notIP]
    }
    context.interfaces = observed?.list ?? []
    return context
  }

  /// Without their names Flows are exported all the same.
  private func followInterfaces() {
    guard !collectors.isEmpty else { return }
    do throws(SystemError) {
      observed = ObservedInterfaces(sources, in: try InterfaceTable())
    } catch {
      Console.say("cannot read the interfaces' names: \(error); the flows are exported without them")
    }
  }

  /// Runs until the file is read or a signal comes. False where something failed, which has been told.
  func run() -> Bool {
    Signals.prepare()
    do throws(SystemError) {
      if let file {
        let worker = try WorkerThread(name: "meter \(file.name.split(separator: "/").last ?? "")") {
          self.readFile()
          Signals.wakeMain()
        }
        Signals.waitForEnd { stop() }
        worker.interruptAndJoin()
      } else {
        try runLive()
      }
    } catch {
      Console.say("cannot start a thread: \(error); raise the limit of processes ('ulimit -u')")
      return false
    }
    Summary.print(
      table, counters, collectors, translations, droppedEvents: natEvents?.dropped, isLive: file == nil)
    return !hasFailed.load(ordering: .relaxed)
  }

  /// Who reads the flows may leave when it has seen enough; a full disk is another matter.
  private func outputIsClosed(_ error: SystemError) {
    if error.code != EPIPE {
      hasFailed.store(true, ordering: .relaxed)
      Console.say("cannot write to standard output: \(error); make room, or send it elsewhere")
    }
    isStopping.store(true, ordering: .relaxed)
    Signals.wakeMain()
  }

  private func stop() {
    isStopping.store(true, ordering: .relaxed)
    wake.call()
  }
}

// MARK: A file

extension Probe {
  /// Meters and exports on one thread: the export sets the pace, and the packets' times are the clock.
  private func readFile() {
    guard let file else { return }
    let process = metering[0]
    var progress = ReadingProgress(file)
    var tick = Int64.min
    do throws(CaptureError) {
      while !isStopping.load(ordering: .relaxed) {
        let (outcome, isCrowded) = try process.meter(timeout: .seconds(1))
        let now = process.latestPacket
        let isNewTick = now.milliseconds >> 8 != tick
        if isNewTick || isCrowded {
          tick = now.milliseconds >> 8
          exporting.export(at: fileInstant(now), flush: isNewTick)
        }
        if case .end = outcome { break }
        progress.show(process.counters)
      }
    } catch {
      if !isStopping.load(ordering: .relaxed) {
        hasFailed.store(true, ordering: .relaxed)
        Console.say(error.description)
      }
    }
    process.finish()
    exporting.export(at: fileInstant(process.latestPacket), everything: true)
    // Of a file there is no later chance.
    if table.statistics.lost.flows > 0 || collectors.contains(where: { $0.statistics.lost.flows > 0 }) {
      hasFailed.store(true, ordering: .relaxed)
    }
  }

  /// The device is taken to have started twenty days before the first packet that was read: sysUpTime has 49.7 days,
  /// and the packets of a capture need not be in order.
  private func fileInstant(_ now: Timestamp) -> ExportInstant {
    let now = now.milliseconds == .min ? started : now
    let boot = fileBoot ?? now.advanced(byMilliseconds: -20 * 86_400_000)
    fileBoot = boot
    return ExportInstant(now: now, boot: boot)
  }
}

// MARK: Live

extension Probe {
  private func runLive() throws(SystemError) {
    var meters: [WorkerThread] = []
    for (place, source) in sources.enumerated() {
      meters.append(
        try WorkerThread(name: "meter \(source.name)") { self.meter(self.metering[place], self.sources[place].name) })
    }
    if conntrack != nil { meters.append(try WorkerThread(name: "conntrack") { self.followConnections() }) }
    let exporter = try WorkerThread(name: "export") { self.export() }
    Signals.waitForEnd { stop() }
    for meter in meters { meter.join() }
    metersHaveStopped.store(true, ordering: .releasing)
    wake.call()
    exporter.join()
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
    var losses = LossReport(table, counters)
    while !metersHaveStopped.load(ordering: .acquiring) {
      clock.adjust()
      if observed?.refresh() ?? false { for collector in collectors { collector.interfacesChanged() } }
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
