// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter

/// What the kernel lists of nftables (<linux/netfilter/nf_tables.h>): chains, rules, flowtables. Those of iptables-nft,
/// ip6tables-nft and ebtables-nft are among them.
///
///     nfgenmsg    family 1, version 1, resource id 2
///     attributes  NFTA_CHAIN_…, NFTA_RULE_… or NFTA_FLOWTABLE_…; numbers in network order
enum NFTablesMessage: Equatable {
  case chain(RuleChain)
  case rule(PacketRule, family: RuleFamily, table: String, chain: String)
  case flowtable(Flowtable)

  /// The type of a message of nftables: the subsystem of nfnetlink in front.
  static func type(_ number: Int) -> Int32 { Int32(NFNL_SUBSYS_NFTABLES) << 8 | Int32(number) }

  /// Nil where the message is another, or of a family whose packets are not of IP.
  init?(_ message: NetlinkMessage, in datagram: RawSpan) {
    guard message.payload.count >= NetlinkMessage.netfilterHeaderLength else { return nil }
    let start = message.payload.lowerBound
    guard let family = RuleFamily(rawValue: datagram.octet(at: start)) else { return nil }
    let attributes = start + NetlinkMessage.netfilterHeaderLength..<message.payload.upperBound
    switch Int32(message.type) {
    case Self.type(Int(NFT_MSG_NEWCHAIN.rawValue)): self = .chain(Self.chain(family, attributes, datagram))
    case Self.type(Int(NFT_MSG_NEWRULE.rawValue)): self = Self.rule(family, attributes, datagram)
    case Self.type(Int(NFT_MSG_NEWFLOWTABLE.rawValue)): self = .flowtable(Self.flowtable(family, attributes, datagram))
    default: return nil
    }
  }

  private static func chain(_ family: RuleFamily, _ range: Range<Int>, _ datagram: RawSpan) -> RuleChain {
    var chain = RuleChain(family: family, table: "", name: "")
    datagram.forEachAttribute(in: range) { type, value in
      switch UInt32(type) {
      case NFTA_CHAIN_TABLE.rawValue: chain.table = datagram.text(value)
      case NFTA_CHAIN_NAME.rawValue: chain.name = datagram.text(value)
      case NFTA_CHAIN_HOOK.rawValue:
        datagram.forEachAttribute(in: value) { type, value in
          switch UInt32(type) {
          case NFTA_HOOK_HOOKNUM.rawValue: chain.hook = PacketHook(family, number: datagram.uint32(value))
          case NFTA_HOOK_DEV.rawValue: chain.devices = [datagram.text(value)]
          case NFTA_HOOK_DEVS.rawValue: chain.devices = datagram.texts(value)
          default: break
          }
        }
      default: break
      }
    }
    return chain
  }

  private static func rule(_ family: RuleFamily, _ range: Range<Int>, _ datagram: RawSpan) -> NFTablesMessage {
    var (rule, table, chain) = (PacketRule(), "", "")
    datagram.forEachAttribute(in: range) { type, value in
      switch UInt32(type) {
      case NFTA_RULE_TABLE.rawValue: table = datagram.text(value)
      case NFTA_RULE_CHAIN.rawValue: chain = datagram.text(value)
      case NFTA_RULE_EXPRESSIONS.rawValue:
        datagram.forEachAttribute(in: value) { _, expression in rule.take(NFTablesExpression(expression, datagram)) }
      default: break
      }
    }
    return .rule(rule, family: family, table: table, chain: chain)
  }

  private static func flowtable(_ family: RuleFamily, _ range: Range<Int>, _ datagram: RawSpan) -> Flowtable {
    var flowtable = Flowtable(family: family, table: "", name: "")
    datagram.forEachAttribute(in: range) { type, value in
      switch UInt32(type) {
      case NFTA_FLOWTABLE_TABLE.rawValue: flowtable.table = datagram.text(value)
      case NFTA_FLOWTABLE_NAME.rawValue: flowtable.name = datagram.text(value)
      case NFTA_FLOWTABLE_FLAGS.rawValue:
        flowtable.isInHardware = datagram.uint32(value) & UInt32(NFT_FLOWTABLE_HW_OFFLOAD.rawValue) != 0
      case NFTA_FLOWTABLE_HOOK.rawValue:
        datagram.forEachAttribute(in: value) { type, value in
          if UInt32(type) == NFTA_FLOWTABLE_HOOK_DEVS.rawValue { flowtable.devices = datagram.texts(value) }
        }
      default: break
      }
    }
    return flowtable
  }
}

extension PacketHook {
  /// The kernel's numbers (enum nf_inet_hooks, nf_dev_hooks).
  fileprivate init?(_ family: RuleFamily, number: UInt32) {
    switch (family, number) {
    case (.netdev, 0), (.inet, 5): self = .ingress
    case (.netdev, 1): self = .egress
    case (.netdev, _): return nil
    case (_, 0): self = .prerouting
    case (_, 1): self = .input
    case (_, 2): self = .forward
    case (_, 3): self = .output
    case (_, 4): self = .postrouting
    default: return nil
    }
  }
}
