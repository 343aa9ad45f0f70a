// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter
public import FlowMeter
internal import Glibc

/// The rules of this network namespace's packet filters: nftables', those of iptables-nft and its siblings among them,
/// and iptables-legacy's.
public struct FirewallRules: Sendable {
  public var chains: [RuleChain] = []
  public var flowtables: [Flowtable] = []

  public init(chains: [RuleChain] = [], flowtables: [Flowtable] = []) {
    (self.chains, self.flowtables) = (chains, flowtables)
  }

  /// Reads nftables' rules from the kernel: needs CAP_NET_ADMIN. A kernel without nftables has none.
  public static func ofNFTables() throws(SystemError) -> FirewallRules {
    var messages: [NFTablesMessage] = []
    do throws(SystemError) {
      var dump = try NetlinkDump(NETLINK_NETFILTER)
      for request in [NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETFLOWTABLE] {
        messages += try dump.list(
          NFTablesMessage.type(Int(request.rawValue)), headerLength: NetlinkMessage.netfilterHeaderLength
        ) { NFTablesMessage($0, in: $1) }
      }
    } catch  where [EINVAL, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT].contains(error.code) {
      // Without the subsystem, or an older one without flowtables.
    }
    return FirewallRules(messages)
  }

  init(_ messages: [NFTablesMessage]) {
    var places: [String: Int] = [:]
    for message in messages {
      switch message {
      case .chain(let chain):
        places[chain.path] = chains.count
        chains.append(chain)
      case .rule(let rule, let family, let table, let chain):
        let path = RuleChain(family: family, table: table, name: chain).path
        if let place = places[path] { chains[place].rules.append(rule) }
      case .flowtable(let flowtable): flowtables.append(flowtable)
      }
    }
  }

  /// Adds what iptables-save printed.
  public mutating func add(iptablesSave text: String, _ family: RuleFamily) {
    chains += IPTablesSave.chains(text, family)
  }
}

// MARK: Where they log

extension FirewallRules {
  /// Whether chains are jumped to in ways that are not known here.
  public var jumpsByMap: Bool { chains.contains { $0.rules.contains(where: \.jumpsByMap) } }

  /// Where packets are logged to one of the groups: a rule that several first chains lead to stands there for each.
  public func sites(of groups: Set<UInt16>) -> [LogSite] {
    var walk = Walk(self, groups)
    for chain in chains where chain.hook != nil { walk.visit(chain, from: chain, .always, depth: 0) }
    return walk.sites + chains.filter { walk.isMissed($0) }.flatMap { Walk.sites(in: $0, from: $0, .always, groups) }
  }

  /// From the first chains to those that log, along the jumps that lead there.
  private struct Walk {
    private(set) var sites: [LogSite] = []
    private let groups: Set<UInt16>
    private let byPath: [String: RuleChain]
    /// Chains that log, or lead to one that does.
    private let leading: Set<String>
    private var visits: [Visit: Set<RuleCondition>] = [:]
    private var visited: Set<String> = []

    /// A chain in the light of where a packet comes from.
    private struct Visit: Hashable {
      var path: String
      var first: String
    }

    /// The kernel takes no more jumps in a row (NFT_JUMP_STACK_SIZE).
    private static let deepest = 16
    /// Under how many conditions a chain is looked at; what else leads to it is taken for packets that are not known.
    /// There are as many ways to a chain as the rules before it have branches to the power of their depth.
    private static let mostConditions = 16

    init(_ rules: FirewallRules, _ groups: Set<UInt16>) {
      self.groups = groups
      byPath = Dictionary(rules.chains.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
      var comingFrom: [String: Set<String>] = [:]
      var leading = rules.chains.filter { $0.rules.contains { $0.log.map { groups.contains($0.group) } ?? false } }
        .map(\.path)
      for chain in rules.chains {
        for jump in chain.rules.compactMap(\.jump) { comingFrom[chain.path(of: jump), default: []].insert(chain.path) }
      }
      var found = Set(leading)
      while let path = leading.popLast() {
        for before in comingFrom[path] ?? [] where found.insert(before).inserted { leading.append(before) }
      }
      self.leading = found
    }

    mutating func visit(_ chain: RuleChain, from first: RuleChain, _ condition: RuleCondition, depth: Int) {
      guard leading.contains(chain.path), depth <= Self.deepest else { return }
      let place = Visit(path: chain.path, first: first.path)
      let isKnown = visits[place, default: []].count < Self.mostConditions
      let condition = isKnown ? condition : .varying
      guard visits[place, default: []].insert(condition).inserted else { return }
      visited.insert(chain.path)
      sites += Self.sites(in: chain, from: first, condition, groups)
      for rule in chain.rules {
        guard let jump = rule.jump, let next = byPath[chain.path(of: jump)] else { continue }
        visit(next, from: first, condition.and(rule.condition), depth: depth + 1)
      }
    }

    /// Whether it logs, and no first chain leads to it.
    func isMissed(_ chain: RuleChain) -> Bool { leading.contains(chain.path) && !visited.contains(chain.path) }

    static func sites(
      in chain: RuleChain, from first: RuleChain, _ condition: RuleCondition, _ groups: Set<UInt16>
    ) -> [LogSite] {
      var (sites, straightFrom) = ([LogSite](), 0)
      for (place, rule) in chain.rules.enumerated() {
        if let log = rule.log, groups.contains(log.group) {
          sites.append(
            LogSite(
              path: chain.path, family: chain.family, place: place, statement: log, hook: first.hook,
              devices: first.devices, condition: condition.and(rule.condition), straightFrom: straightFrom))
        }
        if rule.isFinal || rule.jump != nil || rule.jumpsByMap { straightFrom = place + 1 }
      }
      return sites
    }
  }
}

extension RuleChain {
  /// Of another chain in the same table.
  fileprivate func path(of name: String) -> String { RuleChain(family: family, table: table, name: name).path }
}
