// SPDX-License-Identifier: Apache-2.0

@testable internal import FlowMeter
@testable internal import FlowNetfilter
internal import FuzzChecks

/// One input of fuzz-rules: what a system tells of its packet filter.
///
///     octet 0       bit 0: 0 the text of iptables-save, in which a zero begins the one of ip6tables-save; 1 datagrams of
///                   nf_tables, each behind its length (UInt16)
struct RulesRun: ~Copyable {
  private var input: InputReader

  init(_ octets: UnsafeRawBufferPointer) { input = unsafe InputReader(octets) }

  consuming func run() {
    var rules: FirewallRules
    if (input.octet() ?? 0) & 1 == 0 {
      rules = FirewallRules()
      var text: [UInt8] = []
      while let octet = input.octet() { text.append(octet) }
      for (family, part) in zip([RuleFamily.ipv4, .ipv6], text.split(separator: 0, maxSplits: 1)) {
        rules.add(iptablesSave: String(decoding: part, as: UTF8.self), family)
      }
    } else {
      rules = FirewallRules(readMessages())
    }
    Self.check(rules)
  }

  private mutating func readMessages() -> [NFTablesMessage] {
    var (messages, isLast) = ([NFTablesMessage](), false)
    while !isLast {
      let length = Int(input.number(UInt16.self))
      input.withOctets(length) { bytes in
        var cursor = NetlinkCursor(0..<bytes.byteCount)
        while let message = cursor.nextMessage(in: bytes) {
          if let read = NFTablesMessage(message, in: bytes) { messages.append(read) }
        }
        isLast = bytes.byteCount < max(1, length)
      }
    }
    return messages
  }

  /// Where rules log is where rules stand, and that two places overlap does not depend on which is looked at first.
  private static func check(_ rules: FirewallRules) {
    let groups: Set<UInt16> = [0, 1, 5, 6, 7]
    let sites = rules.sites(of: groups)
    for site in sites {
      let chains = rules.chains.filter { $0.path == site.path }
      require(
        chains.contains { $0.rules.indices.contains(site.place) && $0.rules[site.place].log == site.statement },
        "a rule logs where none stands")
      require(groups.contains(site.statement.group), "a group that was not asked for")
    }
    for site in sites.prefix(32) {
      for other in sites.prefix(32) {
        require(site.overlaps(other) == other.overlaps(site), "two rules overlap in one order")
      }
    }
    // No system has two chains of one name in a table.
    guard Set(rules.chains.map(\.path)).count == rules.chains.count else { return }
    let logging = rules.chains.flatMap(\.rules).count { $0.log.map { groups.contains($0.group) } ?? false }
    require((logging == 0) == sites.isEmpty, "rules that log are passed over")
  }
}
