// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// When which options records are due: what the exporter is, at the start and every five minutes; what it counted,
/// every minute; what was lost, with that, once something was. An interface that is new or another now is told of at once.
struct OptionsSchedule {
  private static let descriptionInterval: Int64 = 300_000
  private static let statisticsInterval: Int64 = 60_000

  private let sampling: Sampling?
  private let rules: FieldRules
  private var nextDescription = Timestamp(milliseconds: .min)
  private var nextStatistics = Timestamp(milliseconds: .min)
  private var knownIgnored: UInt64 = 0
  private var knownNotSent: UInt64 = 0
  private var interfacesHaveChanged = false
  /// The interfaces as they were told of.
  private var knownInterfaces: Set<ObservedInterface> = []
  private var ignoring = LossPeriod()
  private var losing = LossPeriod()

  /// - Parameter sampling: nil: there is nothing to tell of it beside its rate.
  init(_ sampling: Sampling? = nil, _ rules: FieldRules = FieldRules()) {
    (self.sampling, self.rules) = (sampling, rules)
  }

  func isDue(at now: Timestamp) -> Bool { interfacesHaveChanged || now >= min(nextDescription, nextStatistics) }

  /// Makes the interfaces due: they are others than they were.
  mutating func interfacesChanged() { interfacesHaveChanged = true }

  /// Completes the record with the periods of the losses it tells of.
  mutating func noteLosses(_ record: inout ExporterOptions) {
    if record.ignoredPackets > knownIgnored { ignoring.extend(to: record.now) }
    if record.notSent.flows > knownNotSent { losing.extend(to: record.now) }
    (knownIgnored, knownNotSent) = (record.ignoredPackets, record.notSent.flows)
    (record.ignoring, record.losing) = (ignoring, losing)
  }

  /// The kinds that are due now; they are taken to be sent.
  mutating func takeDue(at now: Timestamp, _ record: ExporterOptions) -> [OptionsKind] {
    var kinds: [OptionsKind] = []
    if now >= nextDescription {
      nextDescription = now.advanced(byMilliseconds: Self.descriptionInterval)
      // Ahead of the rate: goflow2 takes samplingPacketInterval for it, and what it finds last.
      kinds += sampling.map { [OptionsKind.selector(of: $0)] } ?? []
      kinds +=
        rules.optionsAreStrict
        ? [.system, .enterpriseElement, .interface] : [.sampling, .sampler, .system, .interface]
      knownInterfaces = []
    } else if interfacesHaveChanged {
      kinds.append(.interface)
    }
    interfacesHaveChanged = false
    if now >= nextStatistics {
      nextStatistics = now.advanced(byMilliseconds: Self.statisticsInterval)
      kinds.append(.meteringStatistics)
      kinds += sampling.map { [OptionsKind.statistics(of: $0)] } ?? []
      if record.ignoredPackets > 0 { kinds.append(.meteringReliability) }
      if record.notSent.flows > 0 { kinds.append(.exportingReliability) }
    }
    return kinds
  }

  /// Those of the interfaces that are to be told of now that ``OptionsKind/interface`` is due: with the description all
  /// of them, else what is new. They are taken to be sent.
  mutating func takeUntold(of interfaces: [ObservedInterface]) -> [ObservedInterface] {
    defer { knownInterfaces = Set(interfaces) }
    return interfaces.filter { !knownInterfaces.contains($0) }
  }
}

extension ExporterOptions {
  /// The same for one interface.
  func describing(_ interface: ObservedInterface) -> ExporterOptions {
    var record = self
    record.interfaceIndex = interface.index
    record.interfaceName = interface.name
    record.interfaceDescription = interface.description
    return record
  }
}
