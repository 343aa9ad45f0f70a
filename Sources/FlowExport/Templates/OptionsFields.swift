// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What an exporter says of itself, for the options records (RFC 7011 section 4, RFC 3954 section 6.1).
struct ExporterOptions: Sendable {
  var domain: UInt32 = 0
  /// When the program started, by the wall clock.
  var started = Timestamp(milliseconds: 0)
  /// The moment of the report, by the wall clock.
  var now = Timestamp(milliseconds: 0)
  /// Name and version of the program.
  var program = ""

  /// What was exported to this destination before.
  var sentMessages: UInt64 = 0
  var sentRecords: UInt64 = 0
  var sentOctets: UInt64 = 0
  /// Flow Records that the table began.
  var observedFlows: UInt64 = 0

  /// Packets that were lost before they were metered, and when the first and the last was noticed.
  var ignoredPackets: UInt64 = 0
  var ignoring = LossPeriod()
  /// Flow Records that did not leave, what they counted, and when.
  var notSent = FlowTotals()
  var losing = LossPeriod()

  /// One in how many is taken; 1: all are.
  var samplingInterval: UInt32 = 1
  /// samplingAlgorithm and samplerMode: 1 deterministic, also where all are taken; 2 random.
  var samplingMode: UInt8 = 1
  var samplerID: UInt8 = 0
  /// What sampling was given and what of it was taken.
  var offered = FlowTotals()
  var selected = FlowTotals()

  var interfaceIndex: UInt32 = 0
  var interfaceName = ""
  var interfaceDescription = ""
}

/// From when to when something was lost.
struct LossPeriod: Hashable, Sendable {
  var first = Timestamp(milliseconds: 0)
  var last = Timestamp(milliseconds: 0)

  /// Takes note that at `now` there is more of it.
  mutating func extend(to now: Timestamp) {
    if first.milliseconds == 0 { first = now }
    last = now
  }
}

/// The kinds of options records: each has a template of its own, and stands in a set of its own.
enum OptionsKind: CaseIterable, Sendable {
  case sampling
  case sampler
  case system
  case meteringStatistics
  case meteringReliability
  case exportingReliability
  case interface
  // What samples, by its method, and how much it took.
  case countSelector
  case randomSelector
  case packetSelector
  case flowSelection
  case packetSelection
  /// What the one element is that is not of IANA's registry.
  case enterpriseElement

  /// The kinds that an exporter has templates for. Of sampling NetFlow v9 has what ``sampling`` and ``sampler`` tell.
  static func kinds(of sampling: Sampling?, in dialect: FieldDialect, _ rules: FieldRules) -> [OptionsKind] {
    let always: [OptionsKind] = [.system, .meteringStatistics, .meteringReliability, .exportingReliability, .interface]
    let kinds = rules.optionsAreStrict ? always + [.enterpriseElement] : [.sampling, .sampler] + always
    guard let sampling, dialect == .ipfix else { return kinds }
    return kinds + [selector(of: sampling), statistics(of: sampling)]
  }

  /// What tells of a way to sample. But in strict records the selector is no scope there, where collectors that look for
  /// it (akvorado, nfdump) would not see it; ipt_NETFLOW has it so too.
  static func selector(of sampling: Sampling) -> OptionsKind {
    switch sampling.method {
    case .deterministicFlows: .countSelector
    case .randomFlows, .hashedFlows: .randomSelector
    case .packets: .packetSelector
    }
  }

  /// What tells how much was taken: of Flows of which no packet came to the table, nobody knows how many they are.
  static func statistics(of sampling: Sampling) -> OptionsKind {
    switch sampling.method {
    case .deterministicFlows, .randomFlows: .flowSelection
    case .hashedFlows, .packets: .packetSelection
    }
  }

  /// Whether it tells what holds until it is told anew, and not what was counted.
  var isDescription: Bool {
    switch self {
    case .sampling, .sampler, .system, .interface, .countSelector, .randomSelector, .packetSelector, .enterpriseElement:
      true
    case .meteringStatistics, .meteringReliability, .exportingReliability, .flowSelection, .packetSelection: false
    }
  }

  func scope(_ rules: FieldRules) -> OptionsScope {
    switch self {
    case .exportingReliability: .exportingProcess
    case .flowSelection, .packetSelection: .selector
    case .countSelector, .randomSelector, .packetSelector: rules.optionsAreStrict ? .selector : .observationDomain
    case .interface: rules.optionsAreStrict ? .interface : .observationDomain
    case .enterpriseElement: .element
    case .sampling, .sampler, .system, .meteringStatistics, .meteringReliability: .observationDomain
    }
  }

  /// The fields behind the scope; one that is the scope is left out.
  var fields: [Field<ExporterOptions>] {
    switch self {
    case .sampling:
      // What collectors look for before they believe a counter; each looks for one of the two records.
      [
        Field(34, "samplingInterval", \.samplingInterval),
        Field(35, "samplingAlgorithm", \.samplingMode),
      ]
    case .sampler:
      [
        Field(48, "samplerId", \.samplerID),
        Field(49, "samplerMode", \.samplingMode),
        Field(50, "samplerRandomInterval", \.samplingInterval),
      ]
    case .system:
      [
        .wallTime(160, "systemInitTimeMilliseconds", \.started),
        Field(300, "observationDomainName") { ShortDescription(text: $0.program) },
      ]
    case .meteringStatistics:
      [
        Field(41, "exportedMessageTotalCount", \.sentMessages),
        Field(42, "exportedFlowRecordTotalCount", \.sentRecords),
        Field(40, "exportedOctetTotalCount", \.sentOctets),
        Field(163, "observedFlowTotalCount", \.observedFlows),
      ]
    case .meteringReliability:
      // RFC 7011 section 4.2 asks for the octets too (165); of packets that the kernel dropped nobody knows them.
      [
        Field(164, "ignoredPacketTotalCount", \.ignoredPackets),
        .wallTime(152, "flowStartMilliseconds", \.ignoring.first),
        .wallTime(153, "flowEndMilliseconds", \.ignoring.last),
      ]
    case .exportingReliability:
      [
        Field(166, "notSentFlowTotalCount", \.notSent.flows),
        Field(167, "notSentPacketTotalCount", \.notSent.packets),
        Field(168, "notSentOctetTotalCount", \.notSent.octets),
        .wallTime(152, "flowStartMilliseconds", \.losing.first),
        .wallTime(153, "flowEndMilliseconds", \.losing.last),
      ]
    case .interface:
      [
        Field(10, "ingressInterface", \.interfaceIndex),
        Field(82, "interfaceName") { InterfaceName(text: $0.interfaceName) },
        Field(83, "interfaceDescription") { InterfaceDescription(text: $0.interfaceDescription) },
      ]
    case .countSelector:
      [
        FlowFields.selectorID(),
        Field(390, "flowSelectorAlgorithm") { _ in UInt16(1) },  // systematic count-based
        Field(396, "samplingFlowInterval") { _ in UInt64(1) },
        Field(397, "samplingFlowSpacing") { UInt64($0.samplingInterval) - 1 },
      ]
    case .randomSelector:
      // By hash too: with a seed that nobody knows which Flows are taken is chance, and none of the registry's hash
      // functions is ours.
      [
        FlowFields.selectorID(),
        Field(390, "flowSelectorAlgorithm") { _ in UInt16(3) },  // random n-out-of-N
        Field(309, "samplingSize") { _ in UInt32(1) },
        Field(310, "samplingPopulation", \.samplingInterval),
      ]
    case .packetSelector:
      [
        FlowFields.selectorID(),
        Field(304, "selectorAlgorithm") { _ in UInt16(1) },  // systematic count-based
        Field(305, "samplingPacketInterval") { _ in UInt32(1) },
        Field(306, "samplingPacketSpace") { $0.samplingInterval - 1 },
      ]
    case .flowSelection:
      [
        Field(394, "selectorIDTotalFlowsObserved", \.offered.flows),
        Field(395, "selectorIDTotalFlowsSelected", \.selected.flows),
      ] + Self.selectedPackets
    case .packetSelection: Self.selectedPackets
    case .enterpriseElement:
      [
        Field(339, "informationElementDataType") { _ in UInt8(3) },  // unsigned32
        Field(344, "informationElementSemantics") { _ in UInt8(0) },  // default
        Field(345, "informationElementUnits") { _ in UInt16(0) },  // none
        Field(341, "informationElementName") { _ in ShortDescription(text: FlowFields.markElement.name) },
      ]
    }
  }
}

extension OptionsKind {
  /// Its Options Template: the scope, then what is not said by that.
  func template(
    _ id: UInt16, in format: some MessageFormat, _ rules: FieldRules
  ) -> Template<ExporterOptions> {
    let scope = format.scopeFields(scope(rules))
    let others = fields.filter { field in !scope.contains { $0.id == field.id } }
    return Template(id: id, fields: scope + others, scopeCount: scope.count)
  }

  /// The kind of which an IPFIX Options Template Record says this behind the Template ID, whatever the profile; nil where
  /// there is none.
  init?(ofTemplate octets: [UInt8]) {
    guard let kind = Self.byTemplate[octets] else { return nil }
    self = kind
  }

  private static let byTemplate: [[UInt8]: OptionsKind] = {
    var kinds: [[UInt8]: OptionsKind] = [:]
    for rules in FieldProfile.allCases.map(\.rules) {
      for kind in allCases {
        let set = IPFIXFormat().templateSet(kind.template(0, in: IPFIXFormat(), rules))
        kinds[Array(set.dropFirst(IPFIXMessage.setHeaderLength + 2))] = kind
      }
    }
    return kinds
  }()

  private static let selectedPackets: [Field<ExporterOptions>] = [
    Field(318, "selectorIdTotalPktsObserved", \.offered.packets),
    Field(319, "selectorIdTotalPktsSelected", \.selected.packets),
    // The packets of a file may have come long before the program began.
    Field(152, "flowStartMilliseconds") { min($0.started, $0.now) },
    .wallTime(153, "flowEndMilliseconds", \.now),
  ]
}

extension Sampling {
  /// samplerMode, samplingAlgorithm and NetFlow v5's mode: 1 deterministic, 2 random.
  var modeNumber: UInt16 { isDeterministic ? 1 : 2 }
}

extension ExporterOptions {
  /// Tells of a way to sample; nil: of all being taken.
  mutating func describe(_ sampling: Sampling?) {
    guard let sampling else { return }
    samplingInterval = UInt32(sampling.interval)
    samplingMode = UInt8(sampling.modeNumber)
    samplerID = 1
  }
}

extension Field where Record == ExporterOptions {
  /// A time that stands by the wall clock already.
  fileprivate static func wallTime(
    _ id: UInt16, _ name: String, _ path: any KeyPath<Record, Timestamp> & Sendable
  ) -> Field {
    Field(id, name) { $0[keyPath: path] }
  }
}
