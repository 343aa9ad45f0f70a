// SPDX-License-Identifier: Apache-2.0

internal import FlowNetfilter

/// What there is to say of the rules that log to NFLOG groups.
enum RuleFindings {
  /// - Parameters:
  ///   - hasUnknownRules: whether there may be rules beside those that are known.
  ///   - usesIPv4: whether the machine has addresses of it; the same for IPv6.
  static func findings(
    _ groups: [UInt16], _ rules: FirewallRules, hasUnknownRules: Bool, usesIPv4: Bool, usesIPv6: Bool
  ) -> [Finding] {
    let all = rules.sites(of: Set(groups))
    var findings: [Finding] = []
    for group in groups {
      let sites = all.filter { $0.statement.group == group }
      // Where verdicts come out of a map, any chain may be jumped to.
      let reached = rules.jumpsByMap ? sites : sites.filter { $0.hook != nil }
      findings.append(.fact("nflog", "group \(group): \(summary(reached))"))
      findings += sites.filter { $0.hook == nil && !rules.jumpsByMap }.map {
        .notice("\($0.rule) logs to NFLOG group \(group), and no chain leads there; jump to it")
      }
      if !hasUnknownRules { findings += missing(group, reached, usesIPv4: usesIPv4, usesIPv6: usesIPv6) }
      findings += statements(group, reached)
      findings += pastRules(group, reached, rules.flowtables)
    }
    return findings + twice(all)
  }

  private static func summary(_ sites: [LogSite]) -> String {
    var paths: [String] = []
    for site in sites where !paths.contains(site.path) { paths.append(site.path) }
    return paths.isEmpty ? "no rule logs to it" : "rules in \(paths.joined(separator: ", "))"
  }

  private static func missing(_ group: UInt16, _ sites: [LogSite], usesIPv4: Bool, usesIPv6: Bool) -> [Finding] {
    guard !sites.isEmpty else {
      return [
        .notice(
          "no rule of this network namespace logs to NFLOG group \(group), and nothing comes;"
            + " 'iptables -I FORWARD -j NFLOG --nflog-group \(group)' logs what is forwarded")
      ]
    }
    if usesIPv6, !sites.contains(where: \.family.seesIPv6) {
      return [.notice("no rule logs IPv6 to NFLOG group \(group); add one with ip6tables, or to a table 'inet' of nft")]
    }
    if usesIPv4, !sites.contains(where: \.family.seesIPv4) {
      return [.notice("no rule logs IPv4 to NFLOG group \(group); add one with iptables, or to a table 'inet' of nft")]
    }
    return []
  }

  /// Rules whose own words cost something.
  private static func statements(_ group: UInt16, _ sites: [LogSite]) -> [Finding] {
    var (told, findings) = (Set<String>(), [Finding]())
    for site in sites where told.insert(site.rule).inserted {
      if let length = site.statement.snapLength, length < NetfilterOptions.copyLengths.lowerBound {
        findings.append(
          .notice(
            "\(site.rule) hands \(length) octets of a packet to NFLOG group \(group), too few for its headers;"
              + " give it --nflog-size \(NFLogSource.Configuration().copyLength) (nft: snaplen)"))
      }
      if site.statement.threshold == 1 {
        findings.append(
          .notice(
            "\(site.rule) sends each packet to NFLOG group \(group) by itself (threshold 1), which halves what a router"
              + " can forward; give it --nflog-threshold 100 (nft: queue-threshold)"))
      }
    }
    return findings
  }

  /// Rules that log the same packets.
  private static func twice(_ sites: [LogSite]) -> [Finding] {
    var (pairs, first) = (Set<[String]>(), (LogSite, LogSite)?.none)
    for (place, one) in sites.enumerated() {
      for other in sites[(place + 1)...] where one.rule != other.rule && one.overlaps(other) {
        pairs.insert([one.rule, other.rule])
        first = first ?? (one, other)
      }
    }
    guard let (one, other) = first else { return [] }
    let groups =
      one.statement.group == other.statement.group
      ? "NFLOG group \(one.statement.group)" : "NFLOG groups \(one.statement.group) and \(other.statement.group)"
    let more = pairs.count > 1 ? ", and \(pairs.count - 1) other pairs of rules do so" : ""
    return [
      .notice(
        "\(one.rule) and \(other.rule) both log to \(groups)\(more): a packet that passes both is counted twice;"
          + " keep one")
    ]
  }
}

// MARK: Flowtables

extension RuleFindings {
  /// Flowtables whose connections pass no rule that logs.
  private static func pastRules(_ group: UInt16, _ sites: [LogSite], _ flowtables: [Flowtable]) -> [Finding] {
    guard !sites.isEmpty, !sites.contains(where: { $0.hook == .ingress }) else { return [] }
    return flowtables.map { flowtable in
      .notice(
        "connections in the flowtable '\(flowtable.path)' pass no rule that logs to NFLOG group \(group): only their"
          + " first packets are metered; log at the hook ingress, as iptables-examples/flowtable-router does, or capture"
          + " with -i")
    }
  }

  /// Flowtables that have the card forward what no capture sees.
  static func inHardware(_ names: [String], _ flowtables: [Flowtable]) -> [Finding] {
    flowtables.filter { flowtable in
      flowtable.isInHardware && (names.contains("any") || flowtable.devices.contains { names.contains($0) })
    }.map { flowtable in
      .notice(
        "the flowtable '\(flowtable.path)' has the network card forward by itself (flags offload): no capture sees those"
          + " packets; remove the flag")
    }
  }
}

extension LogSite {
  /// As an operator finds it: its number in its chain.
  fileprivate var rule: String { "rule \(place + 1) of \(path)" }
}
