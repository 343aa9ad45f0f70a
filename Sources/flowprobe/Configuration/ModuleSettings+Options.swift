// SPDX-License-Identifier: Apache-2.0

/// What becomes of the module's settings: flowprobe's options, and what has to be told.
extension ModuleSettings {
  /// An option of the configuration file, or a comment.
  enum Line: Equatable {
    case option(String, String)
    case comment(String)

    var text: String {
      switch self {
      case .option(let name, ""): name
      case .option(let name, let value): "\(name) \(value)"
      case .comment(let text): "# \(text)"
      }
    }
  }

  /// Where rules log to where nothing else is said.
  static let defaultGroup: UInt16 = 5

  /// The module's defaults where they are not flowprobe's own: they are written down, so that a probe with this
  /// configuration does what the module did.
  private static let defaults = [
    "destination": "127.0.0.1:2055", "protocol": "5", "active_timeout": "1800", "engine_id": "0",
  ]

  /// The configuration file of what stands in several files.
  static func configuration(ofFiles paths: [String], group: UInt16) throws(ConfigurationFile.Refusal) -> String {
    var text = ""
    for path in paths { text += try ConfigurationFile.read(path) + "\n" }
    let settings = ModuleSettings(text)
    for name in settings.values.keys.sorted() where !settings.isKnown(name) {
      Console.say("'\(name)' is no parameter of ipt_NETFLOW: it is left out")
    }
    return try settings.configuration(group: group, of: paths.joined(separator: ", "))
  }

  /// The configuration file.
  ///
  /// - Parameters:
  ///   - group: the NFLOG group that the rules log to.
  ///   - path: where the settings are from, for messages.
  func configuration(group: UInt16, of path: String) throws(ConfigurationFile.Refusal) -> String {
    guard !values.isEmpty || !rules.isEmpty else {
      throw ConfigurationFile.Refusal(
        path: path,
        reason: "there are no settings of ipt_NETFLOW in it; give a line 'options ipt_NETFLOW ...', what"
          + " 'sysctl net.netflow' prints, or what iptables-save prints")
    }
    let all = Self.defaults.merging(values) { $1 }
    var lines = source(group)
    for name in all.keys.sorted() { lines += Self.lines(name, all[name] ?? "") }
    return lines.map { $0.text + "\n" }.joined()
  }

  /// Rules choose the packets as before; what the promiscuous tap saw, a capture sees.
  private func source(_ group: UInt16) -> [Line] {
    var lines: [Line] = []
    if values["promisc"] == "1", rules.isEmpty {
      lines.append(
        .comment(
          "promisc=1: capture on all interfaces, where a router shows its packets twice; name the mirror port instead"
            + " of any"))
      lines.append(.option("interface", "any"))
    } else {
      if values["promisc"] == "1" {
        lines.append(
          .comment(
            "promisc=1: frames for other hosts come by a capture; if they are wanted: interface PORT, and no rule"))
      }
      lines.append(.option("nflog", "\(group)"))
    }
    for rule in rules { lines.append(.comment("rule: \(rule)")) }
    return lines
  }

  private func isKnown(_ name: String) -> Bool { Self.lines(name, "") != [Self.unknown(name, "")] }

  private static func unknown(_ name: String, _ value: String) -> Line { .comment("\(name)=\(value): not known") }

  private static func lines(_ name: String, _ value: String) -> [Line] {
    switch name {
    case "destination": value.isEmpty ? [] : [.option("dest", value)]
    case "protocol": [.option("protocol", value)]
    case "active_timeout": [.option("active-timeout", value)]
    // There 0 exports everything with every scan.
    case "inactive_timeout": [.option("inactive-timeout", value == "0" ? "1" : value)]
    case "refresh_rate": [.option("refresh-rate", value)]
    case "timeout_rate": [.option("timeout-rate", value)]
    case "sndbuf": value == "0" ? [] : [.option("sndbuf", value)]
    case "engine_id": [.option("engine-id", value)]
    case "maxflows": value == "0" ? [.option("maxflows", "1073741824")] : [.option("maxflows", value)]
    case "natevents": value == "1" ? [.option("natevents", "legacy")] : []
    case "sampler": value.isEmpty || value == "0" ? [] : [.option("sampler", value)]
    case "aggregation": value.isEmpty ? [] : [.option("aggregation", value)]
    case "snmp_rules": value.isEmpty ? [] : [.option("snmp-rules", value)]
    case "exportcpu": value == "-1" ? [] : [.option("exportcpu", value)]
    case "promisc", "flush": []
    case "hashsize": [.comment("hashsize=\(value): the table grows by itself")]
    case "scan_min": [.comment("scan_min=\(value): flows leave within a quarter of a second of their time")]
    case "debug": value == "0" ? [] : [.comment("debug=\(value): has no counterpart")]
    default: [unknown(name, value)]
    }
  }
}
