// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Glibc
internal import Synchronization

/// The parts of the program, built from the configuration: it starts them, waits, and stops them in order, so that
/// everything metered is exported.
final class Probe: @unchecked Sendable {
  let configuration: ProbeConfiguration
  let table: FlowTable
  let clock = MeteringClock()
  let started = Timestamp.wallClock()
  private let ownSessions = OwnSessions()
  let isStopping = Atomic<Bool>(false)
  let hasFailed = Atomic<Bool>(false)
  let wake = WakeUp()

  // Each belongs to its thread once run() has started it.
  var sources: [any PacketSource] = []
  var file: CaptureFile?
  var conntrack: ConntrackEvents?
  var translations: NATTable?
  var natEvents: NATEventLog?
  var counters: [MeteringCounters] = []
  var metering: [MeteringProcess] = []
  var collectors: [CollectorExporter] = []
  var exporting: ExportingProcess!
  var observed: ObservedInterfaces?
  var fileBoot: Timestamp?
  let metersHaveStopped = Atomic<Bool>(false)

  let peak = FlowPeak(at: .monotonicClock())
  let lastPass = Mutex(ExportPass())
  /// Belongs to the exporting thread.
  var passBegan: ContinuousClock.Instant?
  /// What the statistics call the sources.
  private(set) lazy var meterNames = sources.map { (source: $0.name, captures: $0 is CaptureInterface) }
  private(set) lazy var program = makeProgram()
  /// Nil where no statistics files are written.
  let statistics: StatisticsWriter?

  /// Opens the sources; a Collector that cannot be reached is no error.
  init(_ configuration: ProbeConfiguration, _ table: FlowTable) throws(CaptureError) {
    self.configuration = configuration
    self.table = table
    statistics = configuration.statisticsDirectory.map { StatisticsWriter(directory: $0) }
    if configuration.exportsNATEvents || configuration.completesRecords {
      translations = NATTable(configuration.translations)
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
      let settings = ConntrackSettings()
      if let translations {
        conntrack = try ConntrackEvents(
          table: translations, log: natEvents, configuration.conntrack, clock: clock)
        for notice in settings.notices(exportsEvents: natEvents != nil) { Console.say(notice) }
        Self.tell(granted: conntrack?.grantedBuffer, of: configuration.conntrack.bufferSize, "conntrack's events")
      }
      for group in groups {
        let source = try NFLogSource(
          group: group, configuration.nflog, clock: clock,
          translations: configuration.completesRecords && !settings.makesEvents ? translations : nil)
        Self.tell(granted: source.grantedBuffer, of: configuration.nflog.bufferSize, "NFLOG group \(group)")
        sources.append(source)
      }
      followInterfaces()
    }
    for (source, counters) in zip(sources, counters) {
      metering.append(
        MeteringProcess(
          source: source, table: table, fragments: configuration.fragments, selection: configuration.selection,
          counters: counters,
          ownSessions: file == nil ? ownSessions : nil, clock: file == nil ? clock : nil))
    }
  }

  /// In a container root is not the machine's, and the system's limit holds.
  private static func tell(granted: Int?, of wanted: Int, _ object: String) {
    guard let granted, granted < wanted else { return }
    Console.say(
      "the kernel gives \(object) a buffer of \(granted / 1024) KiB of \(wanted / 1024);"
        + " raise net.core.rmem_max on the host")
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
    let metered = counters.total
    context.ignoredPackets = metered.kernelDrops + metered.unmeteredPackets - metered[.notIP]
    (context.offered, context.selected) =
      configuration.table.sampling?.totals(metered, statistics) ?? (.init(), .init())
    context.interfaces = observed?.list ?? []
    return context
  }

  /// Without their names Flows are exported all the same.
  private func followInterfaces() {
    guard !collectors.isEmpty || configuration.interfaceIndexRules != nil else { return }
    do throws(SystemError) {
      observed = ObservedInterfaces(sources, in: try InterfaceTable(), configuration.interfaceIndexRules)
    } catch {
      Console.say("cannot read the interfaces' names: \(error); the flows are exported without them")
    }
  }

  /// Runs until the file is read or a signal comes. False where something failed, which has been told.
  func run() -> Bool {
    Signals.prepare()
    do throws(SystemError) {
      if let file {
        let name = "meter \(file.name.split(separator: "/").last ?? "")"
        let processor = meteringProcessor(0) ?? configuration.exportProcessor
        let worker = try WorkerThread(name: name, processor: processor) {
          self.readFile()
          Signals.wakeMain()
        }
        Signals.waitForEnd(onUserSignal: {}) { stop() }
        worker.interruptAndJoin()
      } else {
        try runLive()
      }
    } catch {
      Console.say(threadTrouble(error))
      return false
    }
    Summary.print(
      table, counters, collectors, translations, droppedEvents: natEvents?.dropped,
      configuration.selection, sampling: configuration.table.sampling, isLive: file == nil)
    return !hasFailed.load(ordering: .relaxed)
  }

  /// The processor of a metering thread by its number; nil: any.
  func meteringProcessor(_ number: Int) -> Int? {
    let processors = configuration.meteringProcessors
    return processors.isEmpty ? nil : processors[number % processors.count]
  }

  private func threadTrouble(_ error: SystemError) -> String {
    let chosen = configuration.meteringProcessors + [configuration.exportProcessor].compactMap { $0 }
    guard error.code == EINVAL, !chosen.isEmpty else {
      return "cannot start a thread: \(error); raise the limit of processes ('ulimit -u')"
    }
    let numbers = Set(chosen).sorted().map(String.init).joined(separator: ", ")
    return "cannot run threads on processors \(numbers): \(error); see 'lscpu'"
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

  func stop() {
    isStopping.store(true, ordering: .relaxed)
    wake.call()
  }
}
