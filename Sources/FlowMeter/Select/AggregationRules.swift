// SPDX-License-Identifier: Apache-2.0
//
// Where there are rules, on the path of every packet: applying them allocates nothing, throws nothing and logs nothing.

internal import Synchronization

/// Rules by which packets of many addresses or ports become packets of one Flow: ipt_NETFLOW's `aggregation`.
///
/// They are applied before a packet's Flow is looked for, in their order: of each address the first that matches, and
/// of each port.
public struct AggregationRules: Hashable, Sendable {
  /// What is made of addresses or ports that match.
  public enum Rule: Hashable, Sendable {
    /// IPv4 addresses whose first `length` bits are those of `address` are cut to `result` bits.
    case network(IPAddress, length: Int, result: Int)
    /// Ports of this range become `port`, of the protocols that have ports.
    case ports(ClosedRange<UInt16>, port: UInt16)
  }

  /// In the order in which they are tried; those of networks and those of ports each by themselves.
  public let rules: [Rule]

  /// Of numbers in the machine's order; `rule` is the place in ``rules``.
  private struct Network: Hashable {
    var address: UInt32
    var mask: UInt32
    var result: UInt32
    var resultLength: UInt8
    var rule: Int
  }

  private struct Ports: Hashable {
    var range: ClosedRange<UInt16>
    var port: UInt16
    var rule: Int
  }

  private let networks: [Network]
  private let ports: [Ports]

  /// - Precondition: lengths are 0 to 32.
  public init(_ rules: [Rule]) {
    self.rules = rules
    networks = rules.enumerated().compactMap { place, rule in
      guard case .network(let address, let length, let result) = rule else { return nil }
      precondition((0...32).contains(length) && (0...32).contains(result))
      let mask = Self.mask(length)
      return Network(
        address: address.ipv4.number & mask, mask: mask, result: Self.mask(result), resultLength: UInt8(result),
        rule: place)
    }
    ports = rules.enumerated().compactMap { place, rule in
      guard case .ports(let range, let port) = rule else { return nil }
      return Ports(range: range, port: port, rule: place)
    }
  }

  private static func mask(_ length: Int) -> UInt32 { .max << (32 - length) }

  /// Parses rules, apart by commas, semicolons or white space: `a.b.c.d/length=length`, `port-port=port`, `port=port`.
  ///
  /// - Returns: nil where there are none.
  public static func parse(_ text: String) throws(SelectionError) -> AggregationRules? {
    var rules: [Rule] = []
    for entry in text.split(whereSeparator: { " ,;\t\n".contains($0) }) {
      guard let rule = Rule(entry) else {
        throw SelectionError(
          description: "'\(entry)' is no aggregation rule; write address/length=length, as in 10.0.0.0/8=24,"
            + " or ports=port, as in 1024-65535=0.")
      }
      rules.append(rule)
    }
    return rules.isEmpty ? nil : AggregationRules(rules)
  }

  // MARK: Applying

  /// Applies the rules to a packet's key, and counts in `usage`, by their places, those that matched.
  func apply(to observation: inout PacketObservation, _ usage: inout [UInt64]) {
    if observation.key.version == .v4, !networks.isEmpty {
      observation.sourcePrefixLength = cut(&observation.key.source, &usage)
      observation.destinationPrefixLength = cut(&observation.key.destination, &usage)
    }
    if observation.key.protocol.hasPorts, !ports.isEmpty {
      replace(&observation.key.sourcePort, &usage)
      replace(&observation.key.destinationPort, &usage)
    }
  }

  /// Cuts an address, and says to which length; 0 where no rule is for it.
  private func cut(_ address: inout IPAddress, _ usage: inout [UInt64]) -> UInt8 {
    let number = address.ipv4.number
    for network in networks where number & network.mask == network.address {
      address = IPAddress(IPv4Octets(number: number & network.result))
      usage[network.rule] &+= 1
      return network.resultLength
    }
    return 0
  }

  private func replace(_ port: inout UInt16, _ usage: inout [UInt64]) {
    for rule in ports where rule.range.contains(port) {
      port = rule.port
      usage[rule.rule] &+= 1
      return
    }
  }
}

extension AggregationRules.Rule: CustomStringConvertible {
  fileprivate init?(_ entry: Substring) {
    let sides = entry.split(separator: "=", omittingEmptySubsequences: false)
    guard sides.count == 2 else { return nil }
    if sides[0].contains("/") {
      let parts = sides[0].split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, let (address, version) = IPAddress.parse(String(parts[0])), version == .v4,
        let length = UInt8(parts[1]), length <= 32, let result = UInt8(sides[1]), result <= 32
      else { return nil }
      self = .network(address, length: Int(length), result: Int(result))
    } else {
      guard let range = ClosedRange(numbers: sides[0]), let port = UInt16(sides[1]) else { return nil }
      self = .ports(range, port: port)
    }
  }

  /// As it is parsed.
  public var description: String {
    switch self {
    case .network(let address, let length, let result): "\(address.text(.v4))/\(length)=\(result)"
    case .ports(let range, let port):
      range.count == 1 ? "\(range.lowerBound)=\(port)" : "\(range.lowerBound)-\(range.upperBound)=\(port)"
    }
  }
}

/// How often each aggregation rule was used: by the addresses and ports that it changed. Any thread.
public final class AggregationUsage: Sendable {
  private let counts: Mutex<[UInt64]>

  /// - Parameter rules: how many there are.
  public init(rules: Int) { counts = Mutex(Array(repeating: 0, count: rules)) }

  /// By the rules' places.
  public var current: [UInt64] { counts.withLock { $0 } }

  /// Adds what was counted, and begins to count anew.
  func take(_ usage: inout [UInt64]) {
    counts.withLock { counts in for place in usage.indices { counts[place] &+= usage[place] } }
    for place in usage.indices { usage[place] = 0 }
  }
}
