// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter

/// An option that can be changed while the program runs.
struct Setting: Sendable {
  /// The option's name, without dashes.
  let option: String
  /// Its value as a program with these options has it.
  let value: @Sendable (Meter) -> String
  /// The arguments that give it a value; nil: there is no such value.
  let arguments: @Sendable (_ value: String) -> [String]?
  /// What the option is called in arguments, and whether a value follows.
  let spellings: [(name: String, hasValue: Bool)]

  /// An option with a value.
  private init(_ option: String, _ value: @escaping @Sendable (Meter) -> String) {
    self.option = option
    self.value = value
    arguments = { $0.isEmpty ? nil : ["--\(option)=\($0)"] }
    spellings = [("--\(option)", true)]
  }

  /// Rules, which may be none.
  private init(rules option: String, _ value: @escaping @Sendable (Meter) -> String) {
    self.option = option
    self.value = value
    arguments = { $0.isEmpty ? [] : ["--\(option)=\($0)"] }
    spellings = [("--\(option)", true)]
  }

  /// An option that is given once for each of several values: apart by commas.
  private init(list option: String, or short: String, _ values: @escaping @Sendable (Meter) -> [String]) {
    self.option = option
    value = { values($0).joined(separator: ",") }
    arguments = { $0.isEmpty ? nil : $0.split(separator: ",").map { "--\(option)=\($0.trimmed)" } }
    spellings = [("--\(option)", true), (short, true)]
  }

  /// A flag, 1 or 0.
  private init(flag option: String, _ value: @escaping @Sendable (Meter) -> Bool) {
    self.option = option
    self.value = { value($0) ? "1" : "0" }
    arguments = { ["1": ["--\(option)"], "0": ["--no-\(option)"]][$0] }
    spellings = ["--\(option)", "--no-\(option)"].map { ($0, false) }
  }

  /// 0, or one of some words.
  private init(
    _ option: String, _ value: @escaping @Sendable (Meter) -> String?, words: @escaping @Sendable (String) -> String?
  ) {
    self.option = option
    self.value = { value($0) ?? "0" }
    arguments = { $0 == "0" ? [] : $0.isEmpty ? nil : words($0).map { ["--\(option)=\($0)"] } }
    spellings = [("--\(option)", true)]
  }

  /// In the order in which they are listed.
  static let all = [
    Setting(list: "interface", or: "-i") { $0.metering.interfaces },
    Setting("nflog") { $0.netfilter.nflog.joined(separator: ",") },
    Setting(flag: "promisc") { $0.metering.promisc },
    // ipt_NETFLOW's 1 has its numbers.
    Setting("natevents", { $0.netfilter.natevents?.rawValue }) { $0 == "1" ? NATEventCodes.legacy.rawValue : $0 },
    Setting(flag: "nat-fields") { $0.netfilter.completesRecords },
    Setting("active-timeout") { "\($0.metering.activeTimeout)" },
    Setting("inactive-timeout") { "\($0.metering.inactiveTimeout)" },
    Setting("maxflows") { "\($0.metering.maxflows)" },
    Setting("hashsize") { "\($0.metering.hashsize)" },
    Setting("sampler") { $0.metering.selection.sampler.isEmpty ? "0" : $0.metering.selection.sampler },
    Setting("packet-sampling") { "\($0.metering.selection.packetSampling)" },
    Setting(rules: "aggregation") { $0.metering.selection.aggregation.joined(separator: ", ") },
    Setting("dest") { $0.export.dest.joined(separator: ", ") },
    Setting("protocol") { "\($0.export.exportProtocol.rawValue)" },
    Setting("profile") { $0.export.profile.rawValue },
    Setting("engine-id") { "\($0.export.configuration(readsFile: false).observationDomain)" },
    Setting("refresh-rate") { "\($0.export.refreshRate)" },
    Setting("timeout-rate") { "\($0.export.timeoutRate)" },
    Setting("sndbuf") { "\($0.export.sndbuf)" },
    Setting("export-rate") { "\($0.export.configuration(readsFile: false).exportRate)" },
    Setting(rules: "snmp-rules") { $0.export.snmpRules },
  ]

  /// The arguments without the option, as often as it stands there.
  func removed(from arguments: [String]) -> [String] {
    var (kept, isValue) = ([String](), false)
    for argument in arguments {
      if isValue {
        isValue = false
      } else if let spelling = spellings.first(where: { $0.name == argument }) {
        isValue = spelling.hasValue
      } else if !spellings.contains(where: { argument.hasPrefix("\($0.name)=") }) {
        kept.append(argument)
      }
    }
    return kept
  }

  /// A text without what it has in front as a sysctl, and with dashes.
  private static func plain(_ text: some StringProtocol) -> String {
    let prefix = "net.netflow."
    return (text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : String(text)).replacing("_", with: "-")
  }

  /// Whether it is no setting but ipt_NETFLOW's sysctl that exports all Flows.
  static func isFlush(_ text: some StringProtocol) -> Bool { plain(text) == "flush" }

  /// The setting that an operator means: by the option's name, or as it is among the kernel module's parameters or
  /// sysctls.
  static func named(_ text: some StringProtocol) throws(ChangeRefusal) -> Setting {
    var name = plain(text)
    if name == "destination" { name = "dest" }
    if let setting = all.first(where: { $0.option == name }) { return setting }
    throw ChangeRefusal(
      description: "there is no setting '\(text)' that changes while flowprobe runs; these do: "
        + all.map { $0.option }.joined(separator: ", "))
  }
}
