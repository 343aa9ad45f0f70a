// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
@testable internal import FlowMeter
internal import FuzzChecks
@testable internal import flowprobe

/// One input of fuzz-settings: a text that an operator writes, and an octet that says what it is.
///
///     octet 0       what the text is, modulo 3:
///       0           ipt_NETFLOW's settings: modprobe.d, sysctl or iptables-save
///       1           aggregation rules
///       2           rules for interface indexes, and behind a zero an interface's name
///     text          the rest (``KindAndText``)
struct SettingsRun {
  private let input: KindAndText

  init(_ octets: UnsafeRawBufferPointer) { input = unsafe KindAndText(octets) }

  func run() {
    switch input.kind % 3 {
    case 0: importModule()
    case 1: readAggregation()
    default: readIndexRules()
    }
  }

  /// What is made of ipt_NETFLOW's settings has a known option a line; no value begins a line of its own.
  private func importModule() {
    guard let configuration = try? ModuleSettings(input.text).configuration(group: 5, of: "fuzz") else { return }
    for line in configuration.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
      require(
        Self.options.contains(String(line.prefix { $0 != " " })), "a setting of the module gives an unknown option")
    }
  }

  private static let options: Set = [
    "active-timeout", "aggregation", "dest", "engine-id", "exportcpu", "inactive-timeout", "interface", "maxflows",
    "natevents", "nflog", "protocol", "refresh-rate", "sampler", "sndbuf", "snmp-rules", "timeout-rate",
  ]

  // MARK: Rules

  private func readAggregation() {
    guard let rules = try? AggregationRules.parse(input.text) else { return }
    let written = rules.rules.map(\.description).joined(separator: ", ")
    require((try? AggregationRules.parse(written)) == rules, "aggregation rules change when they are written down")
    var (observation, usage) = (PacketObservation(), [UInt64](repeating: 0, count: rules.rules.count))
    for version in [IPVersion.v4, .v6] {
      observation.key.version = version
      observation.key.protocol = .udp
      (observation.key.sourcePort, observation.key.destinationPort) = (1024, 65_535)
      rules.apply(to: &observation, &usage)
    }
    require(usage.reduce(0, +) <= 6, "more uses of rules than addresses and ports")
  }

  private func readIndexRules() {
    let parts = input.text.split(separator: "\0", maxSplits: 1)
    guard let words = parts.first, let rules = try? InterfaceIndexRules.parse(String(words)) else { return }
    let written = rules.rules.map { "\($0.prefix):\($0.base)" }.joined(separator: ";")
    require((try? InterfaceIndexRules.parse(written)) == rules, "index rules change when they are written down")
    for name in rules.rules.map({ $0.prefix }) + parts.dropFirst().map(String.init) {
      let rule = rules.rules.first { name.hasPrefix($0.prefix) }
      require((rule == nil) == (rules.index(of: name) == nil), "a rule without an index, or an index without a rule")
      require(rules.index(of: name) ?? .max >= rule?.base ?? 0, "an index below its rule's base")
    }
  }
}
