// SPDX-License-Identifier: Apache-2.0

/// Which packets a table of rules is shown (enum nfproto, <linux/netfilter.h>).
public enum RuleFamily: UInt8, Sendable {
  case inet = 1
  case ipv4 = 2
  case netdev = 5
  case bridge = 7
  case ipv6 = 10

  /// As nft writes it.
  public var name: String {
    switch self {
    case .inet: "inet"
    case .ipv4: "ip"
    case .netdev: "netdev"
    case .bridge: "bridge"
    case .ipv6: "ip6"
    }
  }

  public var seesIPv4: Bool { self != .ipv6 }
  public var seesIPv6: Bool { self != .ipv4 }
}

/// A place on a packet's way through the kernel where chains of rules begin.
public enum PacketHook: String, Sendable {
  case ingress, prerouting, input, forward, output, postrouting, egress
}

/// A chain of rules of nftables or iptables: what decides whether a packet is logged, and no more.
public struct RuleChain: Hashable, Sendable {
  public var family: RuleFamily
  public var table: String
  public var name: String
  /// Where it begins; nil: where another one jumps to it.
  public var hook: PacketHook?
  /// The interfaces whose packets it is shown; empty: of all.
  public var devices: [String] = []
  public var rules: [PacketRule] = []

  public init(
    family: RuleFamily, table: String, name: String, hook: PacketHook? = nil, devices: [String] = [],
    rules: [PacketRule] = []
  ) {
    (self.family, self.table, self.name) = (family, table, name)
    (self.hook, self.devices, self.rules) = (hook, devices, rules)
  }

  /// Family, table and name, as nft writes them.
  public var path: String { "\(family.name) \(table) \(name)" }
}

/// A rule, in so far as it says which packets are logged.
public struct PacketRule: Hashable, Sendable {
  public var condition = RuleCondition.always
  public var log: LogStatement?
  /// The chain that it jumps or goes to.
  public var jump: String?
  /// Whether it may end the packet's way through the chain: a verdict, or a target that may be one.
  public var isFinal = false
  /// Whether it jumps by a map of verdicts, whose chains are not known here.
  public var jumpsByMap = false

  public init() {}
}

/// Which packets a rule applies to.
public enum RuleCondition: Hashable, Sendable {
  /// What it compares, in the words or octets of who told of it.
  case octets([UInt8])
  /// Not the same packets each time: by chance, by number, by rate.
  case varying

  public static let always = RuleCondition.octets([])

  /// Both, one behind the other.
  public func and(_ other: RuleCondition) -> RuleCondition {
    guard case .octets(let first) = self, case .octets(let second) = other else { return .varying }
    return .octets(first + second)
  }
}

/// What a rule that logs to an NFLOG group says of that.
public struct LogStatement: Hashable, Sendable {
  public var group: UInt16
  /// How much of a packet is copied, octets; nil: as much as the listener wants.
  public var snapLength: Int?
  /// How many packets fill a message; nil: as many as the listener wants.
  public var threshold: Int?

  public init(group: UInt16, snapLength: Int? = nil, threshold: Int? = nil) {
    (self.group, self.snapLength, self.threshold) = (group, snapLength, threshold)
  }
}

/// A flowtable of nftables: the connections in it pass no rule from prerouting on.
public struct Flowtable: Hashable, Sendable {
  public var family: RuleFamily
  public var table: String
  public var name: String
  /// The interfaces that it is for.
  public var devices: [String] = []
  /// Whether the network card may forward by itself.
  public var isInHardware = false

  public init(
    family: RuleFamily, table: String, name: String, devices: [String] = [], isInHardware: Bool = false
  ) {
    (self.family, self.table, self.name) = (family, table, name)
    (self.devices, self.isInHardware) = (devices, isInHardware)
  }

  public var path: String { "\(family.name) \(table) \(name)" }
}
