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

  /// One packet in how many is metered: all are.
  var samplingInterval: UInt32 = 1

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

  var scope: OptionsScope { self == .exportingReliability ? .exportingProcess : .observationDomain }

  /// The fields behind the scope.
  var fields: [Field<ExporterOptions>] {
    switch self {
    case .sampling:
      // What collectors look for before they believe a counter; each looks for one of the two records.
      [
        Field(34, "samplingInterval", \.samplingInterval),
        Field(35, "samplingAlgorithm") { _ in UInt8(1) },  // deterministic
      ]
    case .sampler:
      [
        Field(48, "samplerId") { _ in UInt8(0) },
        Field(49, "samplerMode") { _ in UInt8(1) },  // deterministic
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
    }
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
