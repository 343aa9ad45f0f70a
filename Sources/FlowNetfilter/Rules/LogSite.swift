// SPDX-License-Identifier: Apache-2.0

/// A rule that logs to an NFLOG group, at one of the places on a packet's way from which it is reached.
public struct LogSite: Hashable, Sendable {
  /// The chain that it stands in, as nft writes it: family, table and name.
  public var path: String
  public var family: RuleFamily
  /// Its number in that chain, from 0.
  public var place: Int
  public var statement: LogStatement
  /// Nil: no chain that is known to be passed leads to it.
  public var hook: PacketHook?
  /// The interfaces whose packets the first chain is shown; empty: of all.
  public var devices: [String]
  /// Which packets reach it and match, from the first chain on.
  public var condition: RuleCondition
  /// The rules that a packet passes before it in its chain none of which may end the way: from this place on.
  var straightFrom: Int

  /// Whether some packet is certain to be logged by both.
  ///
  /// Only what is plain counts: one of the two takes every packet of its hook, or both the same ones.
  public func overlaps(_ other: LogSite) -> Bool {
    guard let hook, let otherHook = other.hook else { return false }
    guard conditionsOverlap(with: other), familiesOverlap(with: other) else { return false }
    let areOfAll = devices.isEmpty || other.devices.isEmpty
    guard areOfAll || !Set(devices).isDisjoint(with: other.devices) else { return false }
    if hook == otherHook, path == other.path {
      // Between the two nothing decides on the packet.
      return place != other.place && max(place, other.place) > min(place, other.place)
        && max(straightFrom, other.straightFrom) <= min(place, other.place)
    }
    return hook == otherHook || Self.follow(hook, otherHook) || Self.follow(otherHook, hook)
  }

  private func conditionsOverlap(with other: LogSite) -> Bool {
    if condition == .always || other.condition == .always { return true }
    guard case .octets(let own) = condition, case .octets(let others) = other.condition else { return false }
    return own == others
  }

  private func familiesOverlap(with other: LogSite) -> Bool {
    // A frame that a bridge forwards is shown to the chains of IP only if br_netfilter has it so.
    if family == .bridge || other.family == .bridge { return family == other.family }
    return family.seesIPv4 && other.family.seesIPv4 || family.seesIPv6 && other.family.seesIPv6
  }

  /// Whether packets go from one hook to the other.
  private static func follow(_ first: PacketHook, _ second: PacketHook) -> Bool {
    switch first {
    case .ingress: [.prerouting, .input, .forward, .postrouting].contains(second)
    case .prerouting: [.input, .forward, .postrouting].contains(second)
    case .forward, .output: [.postrouting, .egress].contains(second)
    case .postrouting: second == .egress
    case .input, .egress: false
    }
  }
}
