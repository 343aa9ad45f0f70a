// SPDX-License-Identifier: Apache-2.0

/// Where messages go and which: `[udp://]address[:port][@source][%device][?parameter=value&…]` or
/// `file:///directory/name[?parameter=value&…]`.
public struct ExportDestination: Hashable, Sendable, CustomStringConvertible {
  /// Where they go, and by which way.
  public var target: DestinationTarget
  /// How it is exported to, and what.
  public var configuration: ExportConfiguration
  /// Tells destinations of one target apart; the first is 1.
  public var number = 1

  /// A destination by its parts.
  public init(_ target: DestinationTarget, _ configuration: ExportConfiguration) {
    (self.target, self.configuration) = (target, configuration)
  }

  /// A Collector that gets datagrams.
  public init(_ address: CollectorAddress, _ configuration: ExportConfiguration) {
    self.init(.udp(address), configuration)
  }

  /// Parses a destination as operators write it.
  ///
  /// - Parameters:
  ///   - text: one destination, no list and no group.
  ///   - defaults: what holds where it does not say otherwise; default: IPFIX.
  /// - Throws: ``AddressError``, in words for the operator.
  public init(_ text: String, defaults: ExportConfiguration = ExportConfiguration()) throws(AddressError) {
    self = try DestinationParser(defaults: defaults).destination(text[...])
  }

  /// Whether it is files that are written.
  public var isFiles: Bool { target.scheme == .file }

  /// The names of the parameters that operators may write.
  public static var parameterNames: [String] { DestinationParameter.allCases.map(\.rawValue) }

  /// What statistics and messages call it: the target, and from the second of the same target on its number:
  /// `192.0.2.1:2055#2`.
  public var description: String { number > 1 ? "\(target)#\(number)" : "\(target)" }
}

/// Several destinations that share the records.
public struct DestinationGroup: Hashable, Sendable, CustomStringConvertible {
  /// Which member gets a record. Options records go to all.
  public enum Mode: String, CaseIterable, Sendable {
    /// Both directions of a conversation, and its NAT events, go to the same one.
    case hash
    /// Each in turn, some hundred records at a time; those that are known not to be there are passed over.
    case roundRobin = "round-robin"
    /// The first that is not known not to be there.
    case failover
  }

  /// Which member gets a record.
  public var mode: Mode
  /// In the order in which they were given.
  public var members: [ExportDestination]

  /// A group of at least one member.
  public init(_ mode: Mode, _ members: [ExportDestination]) { (self.mode, self.members) = (mode, members) }

  /// As operators write it, without parameters: `failover(192.0.2.1:2055,192.0.2.2:2055)`.
  public var description: String { "\(mode.rawValue)(\(members.map(\.description).joined(separator: ",")))" }
}

/// An entry of the list of destinations: each gets all records.
public enum DestinationEntry: Hashable, Sendable, CustomStringConvertible {
  /// One Collector.
  case destination(ExportDestination)
  /// Several that share the records.
  case group(DestinationGroup)

  /// The one, or the group's members.
  public var destinations: [ExportDestination] {
    switch self {
    case .destination(let destination): [destination]
    case .group(let group): group.members
    }
  }

  /// Changes how the one, or each of the group's members, is exported to.
  public mutating func configure(_ change: (inout ExportConfiguration) -> Void) {
    switch self {
    case .destination(var destination):
      change(&destination.configuration)
      self = .destination(destination)
    case .group(var group):
      for i in group.members.indices { change(&group.members[i].configuration) }
      self = .group(group)
    }
  }

  /// What statistics and messages call it.
  public var description: String {
    switch self {
    case .destination(let destination): destination.description
    case .group(let group): group.description
    }
  }
}
