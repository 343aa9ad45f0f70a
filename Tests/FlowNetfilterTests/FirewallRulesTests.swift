// SPDX-License-Identifier: Apache-2.0

import CNetfilter
import Testing

@testable import FlowMeter
@testable import FlowNetfilter

@Suite("Rules that log")
struct FirewallRulesTests {
  /// What nf_tables listed of Tests/Vectors/rules.txt, which has the rules as nft writes them.
  private static let recorded: FirewallRules = {
    var messages: [NFTablesMessage] = []
    for recorded in RecordedMessage.rules {
      forEachMessage(recorded.octets) { octets, message in
        if let message = NFTablesMessage(message, in: octets) { messages.append(message) }
      }
    }
    return FirewallRules(messages)
  }()

  private func sites(_ groups: Set<UInt16>) -> [LogSite] { Self.recorded.sites(of: groups) }

  @Test("rules of iptables-nft log where their chains hook, with size and threshold")
  func iptables() {
    let sites = sites([5])
    #expect(sites.map(\.path) == ["ip raw PREROUTING", "ip filter FORWARD"])
    #expect(sites.map(\.hook) == [.prerouting, .forward])
    #expect(
      sites.map(\.statement) == [
        LogStatement(group: 5), LogStatement(group: 5, snapLength: 40, threshold: 1),
      ])
    #expect(sites[0].condition != .always)
    #expect(sites[1].condition == .always)
  }

  @Test("chains to which there are more ways than anybody could walk are found all the same")
  func branches() {
    let depth = 14
    var rules = FirewallRules()
    let chains = ["FORWARD"] + (0..<depth).map { "A\($0)" }
    var lines = ["*filter", ":FORWARD ACCEPT [0:0]"] + chains.dropFirst().map { ":\($0) - [0:0]" }
    for (chain, next) in zip(chains, chains.dropFirst()) {
      for way in 0..<8 { lines.append("-A \(chain) -p \(way) -j \(next)") }
    }
    lines.append("-A \(chains[depth]) -j NFLOG --nflog-group 5")
    // 8¹⁴ ways.
    rules.add(iptablesSave: lines.joined(separator: "\n"), .ipv4)
    let sites = rules.sites(of: [5])
    #expect((1...17).contains(sites.count))
    #expect(Set(sites.map(\.path)) == ["ip filter A13"])
    #expect(sites.contains { $0.condition == .varying })
  }

  @Test("a rule in a chain is reached from where chains jump to it, under their condition")
  func jumps() {
    let sites = sites([6])
    #expect(sites.map(\.path) == ["ip6 filter FORWARD", "ip6 filter ACCOUNT"])
    #expect(sites.map(\.hook) == [.forward, .forward])
    #expect(sites[0].condition == .varying)
    // Its own is a comment; tcp is the jump's.
    #expect(sites[1].condition != .always)
  }

  @Test("ebtables' watcher logs too")
  func bridge() {
    let sites = sites([7])
    #expect(sites.map(\.path) == ["bridge filter FORWARD"])
    #expect(sites.map(\.statement) == [LogStatement(group: 7, threshold: 2)])
  }

  @Test("chains of the family netdev have one interface or several")
  func devices() {
    let sites = sites([8])
    #expect(sites.map(\.devices) == [["lo"], ["b1", "b0"]] || sites.map(\.devices) == [["lo"], ["b0", "b1"]])
    #expect(sites.map(\.hook) == [.ingress, .ingress])
    #expect(sites.map(\.statement.snapLength) == [0, nil])
    #expect(sites.map(\.statement.threshold) == [nil, 1])
  }

  @Test("a log without a group is none; after a verdict the way is not straight; limits vary")
  func statements() {
    let sites = sites([0, 9])
    #expect(sites.map(\.place) == [2, 3])
    #expect(sites.map(\.straightFrom) == [2, 3])
    #expect(sites[0].statement == LogStatement(group: 9, snapLength: 128, threshold: 100))
    #expect(sites[1].condition == .varying)
  }

  @Test("a chain that only a map of verdicts leads to has no hook, and that there is a map is known")
  func maps() {
    #expect(sites([10]).map(\.path) == ["inet checked of_map"])
    #expect(sites([10]).map(\.hook) == [nil])
    #expect(Self.recorded.jumpsByMap)
  }

  @Test("damaged messages are read without harm")
  func damage() {
    var messages: [[UInt8]] = []
    for recorded in RecordedMessage.rules {
      forEachMessage(recorded.octets) { _, message in
        messages.append(Array(recorded.octets[message.payload.lowerBound - 16..<message.payload.upperBound]))
      }
    }
    // 9 chains, 13 rules, and the end of each listing.
    #expect(messages.count == 24)
    for message in messages {
      forEachDamage(message) { octets in
        forEachMessage(octets) { octets, message in _ = NFTablesMessage(message, in: octets) }
      }
    }
  }

  /// By the kernel's header (struct xt_nflog_info): the iptables here writes nftables' own log.
  @Test("the target of older versions of iptables-nft has its group, threshold, and a size only if a flag says so")
  func target() {
    func statement(flags: UInt8) -> LogStatement? {
      let information: [UInt8] = [40, 0, 0, 0, 5, 1, 2, 0, flags, 0, 0, 0] + Array(repeating: 0, count: 64)
      let data = attribute(1, Array("NFLOG".utf8) + [0]) + attribute(2, [0, 0, 0, 0]) + attribute(3, information)
      let expression = attribute(1, Array("target".utf8) + [0]) + attribute(2, data)
      let meaning = unsafe NFTablesExpression(0..<expression.count, expression.span.bytes).meaning
      if case .log(let statement) = meaning { return statement }
      return nil
    }
    #expect(statement(flags: 0) == LogStatement(group: 261, threshold: 2))
    #expect(statement(flags: 1) == LogStatement(group: 261, snapLength: 40, threshold: 2))
  }

  @Test("on the way through several chains all their conditions hold")
  func conditions() {
    var rules = FirewallRules()
    rules.add(
      iptablesSave: """
        *filter
        :FORWARD ACCEPT [0:0]
        :A - [0:0]
        :B - [0:0]
        -A FORWARD -p tcp -j A
        -A A -i eth0 -j B
        -A B -s 192.0.2.1/32 -j NFLOG --nflog-group 5
        COMMIT
        """, .ipv4)
    #expect(rules.sites(of: [5]).map(\.condition) == [.octets(Array("-p tcp-i eth0-s 192.0.2.1/32".utf8))])
  }

  @Test("what iptables-legacy-save prints")
  func legacy() {
    var rules = FirewallRules()
    rules.add(
      iptablesSave: """
        # Generated by iptables-save v1.8.9 on Sat Nov 21 21:40:53 2026
        *raw
        :PREROUTING ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        -A PREROUTING -m comment --comment "one \\"and\\" -j all" -j NFLOG --nflog-prefix "a b" --nflog-group 5 --nflog-size 64
        COMMIT
        *filter
        :INPUT ACCEPT [0:0]
        :FORWARD DROP [0:0]
        :OUTPUT ACCEPT [0:0]
        :ACC - [0:0]
        :forward - [0:0]
        -A FORWARD -p tcp -j ACC
        -A FORWARD -m statistic --mode nth --every 10 --packet 0 -j NFLOG --nflog-group 6 --nflog-threshold 50
        -A ACC -j NFLOG
        -A ACC -j ACCEPT
        -A forward -j NFLOG --nflog-group 7
        COMMIT
        """, .ipv4)
    let sites = rules.sites(of: [0, 5, 6, 7])
    #expect(
      sites.map(\.path) == [
        "ip raw PREROUTING", "ip filter FORWARD", "ip filter ACC", "ip filter forward",
      ])
    #expect(sites.map(\.hook) == [.prerouting, .forward, .forward, nil])
    #expect(
      sites.map(\.statement) == [
        LogStatement(group: 5, snapLength: 64), LogStatement(group: 6, threshold: 50), LogStatement(group: 0),
        LogStatement(group: 7),
      ])
    #expect(sites.map { $0.condition == .always } == [true, false, false, true])
    #expect(sites[1].condition == .varying)
  }

  /// By the kernel's header: this kernel had none to record.
  @Test("a flowtable has its interfaces, and whether the card forwards")
  func flowtables() {
    func text(_ type: UInt16, _ text: String) -> [UInt8] { attribute(type, Array(text.utf8) + [0]) }
    let devices = attribute(3, text(1, "eth0") + text(1, "eth1"))
    let octets = message(
      0x0a16, [1, 0, 0, 0] + text(1, "filter") + text(2, "ft") + attribute(3, devices) + attribute(7, [0, 0, 0, 1]))
    forEachMessage(octets) { octets, message in
      #expect(
        NFTablesMessage(message, in: octets)
          == .flowtable(
            Flowtable(family: .inet, table: "filter", name: "ft", devices: ["eth0", "eth1"], isInHardware: true)))
    }
    #expect(NFT_MSG_NEWFLOWTABLE.rawValue == 0x16)
  }
}

@Suite("Rules that log one packet twice")
struct LogSiteTests {
  private func site(
    _ family: RuleFamily, _ hook: PacketHook?, _ condition: RuleCondition = .always, devices: [String] = [],
    chain: String? = nil, place: Int = 0, straightFrom: Int = 0
  ) -> LogSite {
    LogSite(
      path: chain ?? "\(family.name) filter \(hook?.rawValue ?? "")", family: family, place: place,
      statement: LogStatement(group: 5), hook: hook, devices: devices, condition: condition, straightFrom: straightFrom)
  }

  private static let udp = RuleCondition.octets([17])

  @Test(
    "hooks that one packet passes, one after the other",
    arguments: [
      (PacketHook.prerouting, PacketHook.forward, true), (.prerouting, .input, true), (.prerouting, .postrouting, true),
      (.forward, .postrouting, true), (.output, .postrouting, true), (.ingress, .forward, true),
      (.postrouting, .egress, true), (.input, .forward, false), (.input, .output, false), (.forward, .output, false),
      (.prerouting, .output, false), (.input, .postrouting, false),
    ])
  func hooks(one: PacketHook, other: PacketHook, isPassed: Bool) {
    #expect(site(.ipv4, one).overlaps(site(.ipv4, other)) == isPassed)
    #expect(site(.ipv4, other).overlaps(site(.ipv4, one)) == isPassed)
  }

  @Test("only what is plain counts: one takes every packet, or both the same")
  func conditions() {
    #expect(site(.ipv4, .prerouting, Self.udp).overlaps(site(.ipv4, .forward)))
    #expect(site(.ipv4, .prerouting, Self.udp).overlaps(site(.ipv4, .forward, Self.udp)))
    #expect(!site(.ipv4, .prerouting, Self.udp).overlaps(site(.ipv4, .forward, .octets([6]))))
    #expect(!site(.ipv4, .prerouting, .varying).overlaps(site(.ipv4, .forward, .varying)))
    #expect(!site(.ipv4, nil).overlaps(site(.ipv4, .forward)))
  }

  @Test("families and interfaces that have no packet in common")
  func disjoint() {
    #expect(site(.ipv4, .forward).overlaps(site(.inet, .forward)))
    #expect(!site(.ipv4, .forward).overlaps(site(.ipv6, .forward)))
    #expect(!site(.bridge, .forward).overlaps(site(.ipv4, .forward)))
    #expect(!site(.netdev, .ingress, devices: ["a"]).overlaps(site(.netdev, .ingress, devices: ["b"], chain: "other")))
    #expect(site(.netdev, .ingress, devices: ["a"]).overlaps(site(.inet, .ingress)))
  }

  @Test("of two rules in a chain the second sees the packet where nothing between them decides")
  func sameChain() {
    let first = site(.ipv4, .forward)
    #expect(first.overlaps(site(.ipv4, .forward, place: 3)))
    #expect(!first.overlaps(site(.ipv4, .forward, place: 3, straightFrom: 1)))
    #expect(!first.overlaps(first))
  }
}
