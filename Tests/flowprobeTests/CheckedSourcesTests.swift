// SPDX-License-Identifier: Apache-2.0

import FlowNetfilter
import Testing

@testable import flowprobe

@Suite("What a check says of interfaces")
struct InterfaceFindingsTests {
  private func state(_ index: UInt32, _ name: String, controller: UInt32? = nil, below: UInt32? = nil) -> InterfaceState
  {
    var state = InterfaceState(index: index, name: name)
    (state.isUp, state.hasCarrier, state.controller, state.below) = (true, true, controller, below)
    return state
  }

  /// A bridge with two ports, one of which is a veth whose other end is here too; a VLAN on the other.
  private var all: [InterfaceState] {
    [
      state(1, "br0"), state(2, "eth0", controller: 1), state(3, "v0", controller: 1, below: 4),
      state(4, "v1", below: 3), state(5, "eth0.10", below: 2), state(6, "eth1"),
    ]
  }

  private func twice(_ names: String...) -> [String] {
    InterfaceFindings.twice(names.map { name in (name, all.first { $0.name == name }) }, all).map(\.text)
  }

  @Test(
    "interfaces whose packets pass another one too",
    arguments: [
      (["br0", "eth0"], "'eth0' is a port of 'br0'"), (["eth0", "eth0.10"], "'eth0.10' lies on 'eth0'"),
      (["v1", "v0"], "'v1' and 'v0' are the ends of a link"), (["v1", "br0"], "'v1' leads to 'br0'"),
      (["eth0.10", "br0"], "'eth0.10' leads to 'br0'"),
    ])
  func pairs(names: [String], relation: String) {
    #expect(
      twice(names[0], names[1]) == [
        "\(relation): packets that pass both are counted twice; capture on one of them"
      ])
  }

  @Test("'any' beside another interface shows its packets twice; interfaces side by side show none so")
  func anyInterface() {
    #expect(
      twice("eth0", "any") == [
        "'any' is all interfaces, 'eth0' too: its packets are counted twice; leave one of them out"
      ])
    #expect(twice("any") == [])
    #expect(twice("eth0", "eth1") == [])
    #expect(twice("eth0", "v0") == [])
  }

  @Test("merged packets are told of, by what merges them")
  func merged() {
    let texts = InterfaceFindings.merged([
      ("eth0", [.gro, .tso]), ("eth1", []), ("eth2", .gro), ("eth3", .gro), ("eth4", .gro), ("eth5", .gro),
      ("eth6", .gro),
    ]).map(\.text)
    #expect(
      texts == [
        "packets of 'eth2', 'eth3', 'eth4' and 2 other interfaces are seen merged (gro): they are counted as merged,"
          + " without the headers in between; 'ethtool -K INTERFACE gro off' ends that, at the price of processor time",
        "packets of 'eth0' are seen merged (gro, tso): they are counted as merged, without the headers in between;"
          + " 'ethtool -K eth0 gro off tso off' ends that, at the price of processor time",
      ])
  }

  @Test("what comes to a bridge is merged on its ports, what it sends on itself")
  func bridge() {
    let offloads: [String: InterfaceOffload] = [
      "br0": [.gro, .tso], "eth0": [.gro, .tso], "v0": [.tso], "eth1": .lro,
    ]
    func merging(_ names: [String]) -> [String] {
      InterfaceFindings.merging(all.filter { names.contains($0.name) }, of: all) { offloads[$0] ?? [] }
        .map { "\($0.name) \($0.offload.names.joined(separator: " "))" }
    }
    #expect(merging(["br0"]) == ["br0 tso", "eth0 gro", "v0 "])
    #expect(merging(["br0", "eth0"]) == ["br0 tso", "eth0 gro tso", "v0 "])
    #expect(merging(["eth1"]) == ["eth1 lro"])
  }

  @Test("an interface has its link, and is promiscuous where that is asked for")
  func states() {
    let up = InterfaceFindings.state("eth1", state(6, "eth1"), linkType: "EN10MB (1)", isPromiscuous: true)
    #expect(up == .fact("interface", "eth1: up, EN10MB (1), promiscuous"))
    let unplugged = InterfaceFindings.state(
      "eth1", InterfaceState(index: 6, name: "eth1"), linkType: "EN10MB (1)", isPromiscuous: false)
    #expect(unplugged == .fact("interface", "eth1: up without carrier, EN10MB (1)"))
    let any = InterfaceFindings.state("any", nil, linkType: "LINUX_SLL2 (276)", isPromiscuous: true)
    #expect(any == .fact("interface", "any: LINUX_SLL2 (276)"))
    let shared = InterfaceFindings.state(
      "eth1", state(6, "eth1"), linkType: "EN10MB (1)", isPromiscuous: true, threads: 4)
    #expect(shared == .fact("interface", "eth1: up, EN10MB (1), promiscuous, 4 threads"))
  }
}

@Suite("What a check says of threads")
struct ThreadFindingsTests {
  @Test("more threads than there are processors for them are told of")
  func crowded() {
    #expect(InterfaceFindings.crowded(4, on: 4) == [])
    #expect(InterfaceFindings.crowded(4, on: 0) == [])
    #expect(
      InterfaceFindings.crowded(5, on: 4) == [
        .notice(
          "5 threads meter, on 4 processors: they take turns, and no more is metered than by fewer; lower --threads")
      ])
    #expect(InterfaceFindings.crowded(2, on: 1)[0].text.hasPrefix("2 threads meter, on 1 processor:"))
  }
}

@Suite("What a check says of rules")
struct RuleFindingsTests {
  private func rules(_ text: String, _ family: RuleFamily = .ipv4) -> FirewallRules {
    var rules = FirewallRules()
    let heading = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:ACC - [0:0]\n"
    rules.add(iptablesSave: heading + text + "COMMIT\n", family)
    return rules
  }

  private func findings(
    _ groups: [UInt16], _ rules: FirewallRules, hasUnknownRules: Bool = false, ipv6: Bool = false
  ) -> [Finding] {
    RuleFindings.findings(groups, rules, hasUnknownRules: hasUnknownRules, usesIPv4: true, usesIPv6: ipv6)
  }

  private let log = "-A FORWARD -j NFLOG --nflog-group 5"

  @Test("rules that are in order are named, and no more")
  func inOrder() {
    #expect(findings([5], rules("\(log)\n")) == [.fact("nflog", "group 5: rules in ip filter FORWARD")])
    var both = rules("\(log)\n")
    both.chains += rules("\(log)\n", .ipv6).chains
    #expect(
      findings([5], both, ipv6: true) == [.fact("nflog", "group 5: rules in ip filter FORWARD, ip6 filter FORWARD")])
  }

  @Test("a group that no rule logs to, unless some rules are not known")
  func none() {
    let missing = Finding.notice(
      "no rule of this network namespace logs to NFLOG group 6, and nothing comes;"
        + " 'iptables -I FORWARD -j NFLOG --nflog-group 6' logs what is forwarded")
    #expect(findings([6], rules("\(log)\n")) == [.fact("nflog", "group 6: no rule logs to it"), missing])
    #expect(findings([6], rules(""), hasUnknownRules: true) == [.fact("nflog", "group 6: no rule logs to it")])
  }

  @Test("a rule that no chain leads to")
  func unreached() {
    let found = findings([5], rules("-A ACC -j NFLOG --nflog-group 5\n"))
    #expect(
      found.contains(.notice("rule 1 of ip filter ACC logs to NFLOG group 5, and no chain leads there; jump to it")))
    #expect(found.first == .fact("nflog", "group 5: no rule logs to it"))
    let reached = findings([5], rules("-A FORWARD -j ACC\n-A ACC -j NFLOG --nflog-group 5\n"))
    #expect(reached == [.fact("nflog", "group 5: rules in ip filter ACC")])
  }

  @Test("a group that gets one IP version of the two that the machine has")
  func oneVersion() {
    #expect(
      findings([5], rules("\(log)\n"), ipv6: true).last
        == .notice("no rule logs IPv6 to NFLOG group 5; add one with ip6tables, or to a table 'inet' of nft"))
    #expect(
      findings([5], rules("\(log)\n", .ipv6)).last
        == .notice("no rule logs IPv4 to NFLOG group 5; add one with iptables, or to a table 'inet' of nft"))
    #expect(findings([5], rules("\(log)\n", .inet), ipv6: true).count == 1)
  }

  @Test("sizes below the headers', and a threshold of 1")
  func words() {
    #expect(
      findings([5], rules("\(log) --nflog-size 63 --nflog-threshold 1\n")).dropFirst() == [
        .notice(
          "rule 1 of ip filter FORWARD hands 63 octets of a packet to NFLOG group 5, too few for its headers; give it"
            + " --nflog-size 160 (nft: snaplen)"),
        .notice(
          "rule 1 of ip filter FORWARD sends each packet to NFLOG group 5 by itself (threshold 1), which halves what a"
            + " router can forward; give it --nflog-threshold 100 (nft: queue-threshold)"),
      ])
    #expect(findings([5], rules("\(log) --nflog-size 64 --nflog-threshold 2\n")).count == 1)
  }

  @Test("two rules on one way, to one group or to two that are metered")
  func twice() {
    let text = "\(log)\n-A POSTROUTING -o eth0 -j NFLOG --nflog-group 6\n"
    #expect(
      findings([5, 6], rules(text)).last
        == .notice(
          "rule 1 of ip filter FORWARD and rule 1 of ip filter POSTROUTING both log to NFLOG groups 5 and 6: a packet"
            + " that passes both is counted twice; keep one"))
    #expect(findings([5], rules(text)).count == 1)
    let three = findings([5], rules("\(log)\n\(log)\n-A POSTROUTING -j NFLOG --nflog-group 5\n"))
    #expect(
      three.last
        == .notice(
          "rule 1 of ip filter FORWARD and rule 2 of ip filter FORWARD both log to NFLOG group 5, and 2 other pairs of"
            + " rules do so: a packet that passes both is counted twice; keep one"))
  }

  @Test("a flowtable takes connections past the rules, but those at the hook ingress")
  func flowtables() {
    var routed = rules("\(log)\n")
    var flowtable = Flowtable(family: .inet, table: "filter", name: "ft", devices: ["eth0"])
    routed.flowtables = [flowtable]
    let past = Finding.notice(
      "connections in the flowtable 'inet filter ft' pass no rule that logs to NFLOG group 5: only their first packets"
        + " are metered; log at the hook ingress, as iptables-examples/flowtable-router does, or capture with -i")
    #expect(findings([5], routed).contains(past))
    routed.chains.append(RuleChain(family: .netdev, table: "t", name: "c", hook: .ingress, devices: ["eth0"]))
    var rule = PacketRule()
    rule.log = LogStatement(group: 5)
    routed.chains[routed.chains.count - 1].rules = [rule]
    #expect(!findings([5], routed).contains(past))

    #expect(RuleFindings.inHardware(["eth0"], [flowtable]) == [])
    flowtable.isInHardware = true
    #expect(RuleFindings.inHardware(["eth1"], [flowtable]) == [])
    #expect(RuleFindings.inHardware(["any"], [flowtable]).count == 1)
    #expect(
      RuleFindings.inHardware(["eth0"], [flowtable]) == [
        .notice(
          "the flowtable 'inet filter ft' has the network card forward by itself (flags offload): no capture sees those"
            + " packets; remove the flag")
      ])
  }
}
