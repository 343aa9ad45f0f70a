// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Glibc
internal import Synchronization

/// The parts of the program, built from the configuration: it starts them, waits, changes what a new configuration
/// wants otherwise, and stops them in order, so that everything metered is exported.
final class Probe: @unchecked Sendable {
  let clock = MeteringClock()
  let started = Timestamp.wallClock()
  let ownSessions = OwnSessions()
  let isStopping = Atomic<Bool>(false)
  let hasFailed = Atomic<Bool>(false)
  let metersHaveStopped = Atomic<Bool>(false)
  let exportHasEnded = Atomic<Bool>(false)
  let wake = WakeUp()
  let notifier = ServiceNotifier()

  let parts: Mutex<ProbeParts>
  /// Held while the configuration is changed.
  let changing = Mutex(OptionChanges(arguments: Flowprobe.argumentsAtStart.withLock { $0 }))
  /// What the exporting thread is to take over between two passes.
  let handover = Mutex<Handover?>(nil)
  /// Who waits for all active Flows to be exported.
  let flushes = Mutex<[Completion]>([])
  private let sessions = Atomic<Int>(0)

  // They belong to the exporting thread once that runs.
  let exporting: ExportingProcess
  var observed: ObservedInterfaces?
  private var report: ServiceReport?
  var passBegan: ContinuousClock.Instant?

  let peak = FlowPeak(at: .monotonicClock())
  let lastPass = Mutex(ExportPass())
  let outlets: ProbeOutlets
  private(set) lazy var sampler = StatisticsSampler { [unowned self] in gatherStatistics() }
  private(set) lazy var health = ProbeHealth { [unowned self] in pulses }
  /// Of the exporting thread.
  let pulse = ThreadPulse(name: "export")

  /// Opens the sources; a Collector that cannot be reached is no error.
  init(_ configuration: ProbeConfiguration, _ table: FlowTable, _ outlets: ProbeOutlets) throws {
    self.outlets = outlets
    exporting = ExportingProcess(table: table)
    parts = Mutex(ProbeParts(configuration: configuration, table: table))
    // A destination's name may take a while to look up: before the first packet is captured.
    let destinations = try makeExporters(configuration, keeping: [])
    let sources: [MeteredSource]
    var follower: ConnectionFollower?
    switch configuration.source {
    case .file(let path):
      let file = try CaptureFile(path: path, filter: configuration.filter, details: configuration.details)
      sources = [MeteredSource([file], nil) { process($0, configuration, table) }]
    case .live(let origins):
      var opened: [MeteredSource] = []
      for case .interface(let name) in origins {
        opened.append(try open(.interface(name), configuration, table, nil))
      }
      if configuration.followsConnections { follower = try ConnectionFollower(configuration, clock: clock) }
      for case .group(let number) in origins {
        opened.append(try open(.group(number), configuration, table, follower?.untold))
      }
      sources = opened
      followInterfaces(of: sources, configuration)
    }
    parts.withLock { ($0.sources, $0.destinations, $0.follower) = (sources, destinations, follower) }
    if configuration.isLive, notifier.isHeard {
      report = ServiceReport(notifier) { [unowned self] in self.parts.withLock { $0 } }
    }
    exporting.consumers = consumers(destinations, configuration)
    exporting.translations = configuration.completesRecords ? follower?.translations : nil
    exporting.natEvents = follower?.events
  }

  /// Opens a live source.
  ///
  /// - Parameter translations: shown what an NFLOG group's packets tell of connections.
  func open(
    _ origin: PacketOrigin, _ configuration: ProbeConfiguration, _ table: FlowTable, _ translations: NATTable?
  ) throws(CaptureError) -> MeteredSource {
    switch origin {
    case .interface(let name):
      let lanes = try CaptureInterface.lanes(configuration.threads, of: name, configuration.capture, clock: clock)
      return MeteredSource(lanes, origin) { process($0, configuration, table) }
    case .group(let number):
      let source = try NFLogSource(
        group: number, configuration.nflog, clock: clock,
        translations: configuration.completesRecords ? translations : nil)
      BufferShortage(granted: source.grantedBuffer, of: configuration.nflog.bufferSize, "NFLOG group \(number)")
        .map { Console.say($0.description) }
      return MeteredSource([source], origin) { process($0, configuration, table) }
    }
  }

  private func process(
    _ source: any PacketSource, _ configuration: ProbeConfiguration, _ table: FlowTable
  ) -> MeteringProcess {
    MeteringProcess(
      source: source, table: table, fragments: configuration.fragments,
      recordedLabels: configuration.export.recordedLabels, selection: configuration.selection,
      ownSessions: configuration.isLive ? ownSessions : nil, clock: configuration.isLive ? clock : nil)
  }

  /// The exporters to the configuration's destinations; of those in `known` the ones that are the same stay.
  ///
  /// - Throws: what makes one of them impossible: its files, its spool.
  func makeExporters(
    _ configuration: ProbeConfiguration, keeping known: [CollectorExporter]
  ) throws(DeliveryRefusal) -> [EntryExporter] {
    let entries = configuration.destinations.map { entry in
      EntryExporter(entry) { destination in
        if let same = known.first(where: { $0.destination == destination }) { return same }
        let exporter = CollectorExporter(
          to: destination, number: sessions.add(1, ordering: .relaxed).newValue, ownSessions: ownSessions,
          context: { [unowned self] in context }, report: { Console.say($0.description) })
        exporter.onProgress = { [unowned self] in exportGoesOn() }
        return exporter
      }
    }
    for exporter in entries.flatMap(\.exporters) {
      let spool = exporter.destination.configuration.delivery.spool
      let isSuccessor = spool != nil && known.contains { $0.destination.configuration.delivery.spool == spool }
      try exporter.prepare(isSuccessor: isSuccessor)
    }
    return entries
  }

  /// Says so to who watches: on the exporting thread.
  func exportGoesOn() {
    pulse.beat()
    report?.tell()
  }

  /// What takes the records: the destinations' exporters, or where there are none a printer; and who tells the service
  /// manager.
  func consumers(
    _ destinations: [EntryExporter], _ configuration: ProbeConfiguration
  ) -> [any FlowRecordConsumer] {
    let report = report.map { [$0] } ?? []
    guard destinations.isEmpty else { return destinations.map(\.consumer) + report }
    let printer = FlowPrinter(
      json: configuration.printsJSON ? configuration.export.natEventCodes : nil,
      showsLabels: configuration.export.recordedLabels > 0
    ) {
      [weak self] in self?.outputIsClosed($0)
    }
    return [printer] + report
  }

  private var context: ExporterContext {
    let parts = parts.withLock { $0 }
    let (metered, table) = (parts.metered, parts.tableStatistics)
    var context = ExporterContext()
    context.started = started
    context.observedFlows = table.created
    context.lostInTable = table.lost
    context.ignoredPackets = metered.kernelDrops + metered.unmeteredPackets - metered[.notIP]
    (context.offered, context.selected) = parts.sampled
    context.interfaces = observed?.list ?? []
    return context
  }

  /// Without their names Flows are exported all the same.
  func followInterfaces(of sources: [MeteredSource], _ configuration: ProbeConfiguration) {
    guard !configuration.destinations.isEmpty || configuration.interfaceIndexRules != nil else { return }
    do throws(SystemError) {
      let table: InterfaceTable = if let observed { observed.table } else { try InterfaceTable() }
      observed = ObservedInterfaces(sources.map(\.source), in: table, configuration.interfaceIndexRules)
    } catch {
      Console.say("cannot read the interfaces' names: \(error); the flows are exported without them")
    }
  }

  /// Runs until the file is read or a signal comes. False where something failed, which has been told.
  func run() -> Bool {
    Signals.prepare()
    let configuration = parts.withLock { $0.configuration }
    do throws(SystemError) {
      if configuration.isLive { try runLive(configuration) } else { try runFile(configuration) }
    } catch {
      Console.say(configuration.threadTrouble(error), .error)
      return false
    }
    Summary.print(self.parts.withLock { $0 })
    return !hasFailed.load(ordering: .relaxed)
  }

  /// Who reads the flows may leave when it has seen enough; a full disk is another matter.
  private func outputIsClosed(_ error: SystemError) {
    if error.code != EPIPE {
      hasFailed.store(true, ordering: .relaxed)
      Console.say("cannot write to standard output: \(error); make room, or send it elsewhere", .error)
    }
    isStopping.store(true, ordering: .relaxed)
    Signals.wakeMain()
  }

  /// Once a change that is under way is complete; none comes after it.
  func stop() {
    notifier.stopping()
    health.end()
    changing.withLock { _ in isStopping.store(true, ordering: .relaxed) }
    for source in parts.withLock({ $0.sources }) { source.stop() }
    parts.withLock { $0.follower }?.stop()
    wake.call()
  }
}
