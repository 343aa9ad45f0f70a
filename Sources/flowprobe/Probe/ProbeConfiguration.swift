// SPDX-License-Identifier: Apache-2.0

internal import CShims
internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Glibc

/// What a ``Probe`` is built from: the options, checked and in the parts' own terms.
struct ProbeConfiguration {
  enum Source {
    case file(String)
    case live([PacketOrigin])
  }

  var source: Source
  var filter: String
  var capture: CaptureInterface.Configuration
  var nflog: NFLogSource.Configuration
  var conntrack: ConntrackEvents.Configuration
  var translations: NATTable.Configuration
  /// Whether NAT events are exported, and whether flow records get the translated addresses.
  var exportsNATEvents: Bool
  var completesRecords: Bool
  var details: RecordedDetails
  var fragments: FragmentHandling
  var selection: PacketSelection
  var table: FlowTable.Configuration
  var destinations: [DestinationEntry]
  /// What holds where a destination does not say otherwise.
  var export: ExportConfiguration
  var interfaceIndexRules: InterfaceIndexRules?
  var printsJSON: Bool
  /// Where statistics files go; nil for nowhere.
  var statisticsDirectory: String?
  /// Where metrics are served; nil for nowhere.
  var metrics: ListeningAddress?
  /// Nil: no control socket.
  var control: ControlConfiguration?
  /// How many meter each interface.
  var threads: Int
  /// For each metering thread in turn; empty: they run on any.
  var meteringProcessors: [Int]
  var exportProcessor: Int?
  /// How it runs as a process of the system's.
  var service: ServiceOptions

  /// The values of what can be changed, by the options' names.
  var settings: [String: String]
  /// Whether there is a file to read the options from again.
  var isReloadable: Bool

  init(_ options: Meter) throws {
    let (metering, netfilter, export) = (options.metering, options.netfilter, options.export)
    settings = Dictionary(Setting.all.map { ($0.option, $0.value(options)) }) { $1 }
    isReloadable = metering.read == nil && !options.files.areEmpty
    if let path = metering.read {
      source = .file(path)
    } else {
      source = .live(
        metering.interfaces.map(PacketOrigin.interface) + (try netfilter.groups()).map(PacketOrigin.group))
    }
    filter = options.filter.expression
    capture = metering.capture(options.filter)
    nflog = netfilter.source(bufferSize: capture.bufferSize, metering.details)
    conntrack = netfilter.conntrack
    translations = NATTable.Configuration()
    translations.capacity = netfilter.natConnections
    if netfilter.completesRecords {
      // A Flow is reported that long after its last packet at the latest, and a sweep takes a moment.
      translations.memory += metering.expiration.inactiveTimeout
    }
    exportsNATEvents = netfilter.natevents != nil
    completesRecords = netfilter.completesRecords
    details = metering.details
    fragments = metering.fragments
    table = FlowTable.Configuration()
    table.expiration = metering.expiration
    table.maxFlows = metering.maxflows
    table.indexSize = metering.hashsize
    // The same file gives the same records on every run.
    if metering.read != nil { table.hashSeed = 1 }
    let sampling = try metering.selection.sampling()
    table.sampling = sampling
    selection = PacketSelection(
      sampling: sampling, aggregation: try metering.selection.aggregationRules(), seed: table.hashSeed)
    interfaceIndexRules = try export.interfaceIndexRules()
    self.export = export.configuration(readsFile: metering.read != nil)
    self.export.sampling = sampling
    self.export.recordedLabels = metering.mpls
    self.export.delivery.waitsForRoom = metering.read != nil
    self.export.natEventCodes = netfilter.natevents ?? .rfc8158
    destinations = try export.destinations(self.export)
    printsJSON = options.output.json
    if metering.read == nil {
      statisticsDirectory = options.statistics.directory(exports: !destinations.isEmpty)
      metrics = try options.statistics.metricsAddress()
      control = options.control.configuration(exports: !destinations.isEmpty)
    }
    threads = metering.threads
    meteringProcessors = try metering.meteringProcessors()
    exportProcessor = export.exportcpu < 0 ? nil : export.exportcpu
    service = options.service
  }
}

extension ProbeConfiguration {
  var isLive: Bool { if case .live = source { true } else { false } }

  /// The destinations' spools.
  var spools: [String] { destinations.flatMap(\.destinations).compactMap(\.configuration.delivery.spool) }

  /// Whether conntrack is asked for translations.
  var followsConnections: Bool { exportsNATEvents || completesRecords }

  /// How many threads meter live packets.
  var meteringThreads: Int { interfaces.count * threads + groups.count }

  /// How many processors they may run on.
  var processorsForMetering: Int {
    meteringProcessors.isEmpty ? Int(cshims_processor_count()) : Set(meteringProcessors).count
  }

  /// The processor of a metering thread by its number; nil: any.
  func meteringProcessor(_ number: Int) -> Int? {
    meteringProcessors.isEmpty ? nil : meteringProcessors[number % meteringProcessors.count]
  }

  /// What is to be said where there is no room for the table.
  func memoryTrouble(_ error: SystemError) -> String {
    "cannot reserve memory for \(table.maxFlows) flows: \(error); lower --maxflows"
  }

  /// What is to be said where a thread cannot be started.
  func threadTrouble(_ error: SystemError) -> String {
    let chosen = meteringProcessors + [exportProcessor].compactMap { $0 }
    guard error.code == EINVAL, !chosen.isEmpty else {
      return "cannot start a thread: \(error); raise the limit of processes ('ulimit -u')"
    }
    let numbers = Set(chosen).sorted().map(String.init).joined(separator: ", ")
    return "cannot run threads on processors \(numbers): \(error); see 'lscpu'"
  }
}

/// Tells this machine's probe from others: some collectors keep templates by the Observation Domain alone.
enum MachineIdentity {
  /// A hash (FNV-1a) of /etc/machine-id, or of the host's name where there is none; never 0. As it was when it was
  /// first asked for.
  static let observationDomain = {
    let identity = TextFile.read("/etc/machine-id") ?? TextFile.read("/proc/sys/kernel/hostname") ?? "flowprobe"
    var hash: UInt32 = 2_166_136_261
    for octet in identity.utf8 where octet > 0x20 { hash = (hash ^ UInt32(octet)) &* 16_777_619 }
    return hash == 0 ? 1 : hash
  }()
}
