// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// Which numbers stand for the events (IE 230 natEvent).
public enum NATEventCodes: String, CaseIterable, Sendable {
  /// 4 NAT44 session create, 5 NAT44 session delete (RFC 8158 section 5); for NAT66, which has no numbers, the same.
  case rfc8158
  /// 1 and 2: what ipt_NETFLOW sends, "historic" in the registry.
  case legacy

  func code(_ kind: NATEvent.Kind) -> UInt8 {
    switch (self, kind) {
    case (.rfc8158, .create): 4
    case (.rfc8158, .delete): 5
    case (.legacy, .create): 1
    case (.legacy, .delete): 2
    }
  }
}

/// Which fields a NAT event has: events of one shape share a template.
enum NATEventShape: Int, CaseIterable, Sendable {
  case ipv4
  case ipv6
  /// With what the connection carried.
  case ipv4Traffic
  case ipv6Traffic

  init(_ event: borrowing NATEvent) {
    switch (event.connection.version, event.traffic == nil) {
    case (.v4, true): self = .ipv4
    case (.v4, false): self = .ipv4Traffic
    case (_, true): self = .ipv6
    case (_, false): self = .ipv6Traffic
    }
  }

  private var isIPv6: Bool { self == .ipv6 || self == .ipv6Traffic }
  private var hasTraffic: Bool { self == .ipv4Traffic || self == .ipv6Traffic }

  /// In the order of ipt_NETFLOW's record.
  func fields(_ codes: NATEventCodes, _ rules: FieldRules = FieldRules()) -> [Field<NATEvent>] {
    let codes = rules.natEventCodes ?? codes
    let fields =
      [Field(323, "observationTimeMilliseconds", \.time)]
      + (isIPv6 ? NATEventFields.ipv6 : NATEventFields.ipv4) + NATEventFields.ports
      + [Field(230, "natEvent") { codes.code($0.kind) }]
      + (hasTraffic ? NATEventFields.traffic : [])
    return fields.filter { !rules.omittedOfNATEvents.contains($0.id) }
  }
}

/// The Information Elements of a NAT event (RFC 8158 section 5.6), in the groups of which templates are made.
enum NATEventFields {
  typealias Group = [Field<NATEvent>]

  static let ipv4: Group = [
    Field(8, "sourceIPv4Address", octets: \.connection.original.source.ipv4),
    Field(12, "destinationIPv4Address", octets: \.connection.original.destination.ipv4),
    Field(225, "postNATSourceIPv4Address", octets: \.connection.translated.source.ipv4),
    Field(226, "postNATDestinationIPv4Address", octets: \.connection.translated.destination.ipv4),
  ]
  static let ipv6: Group = [
    Field(27, "sourceIPv6Address", octets: \.connection.original.source),
    Field(28, "destinationIPv6Address", octets: \.connection.original.destination),
    Field(281, "postNATSourceIPv6Address", octets: \.connection.translated.source),
    Field(282, "postNATDestinationIPv6Address", octets: \.connection.translated.destination),
  ]
  /// Of ICMP the identifier stands for the source port.
  static let ports: Group = [
    Field(7, "sourceTransportPort", \.connection.original.sourcePort),
    Field(11, "destinationTransportPort", \.connection.original.destinationPort),
    Field(227, "postNAPTSourceTransportPort", \.connection.translated.sourcePort),
    Field(228, "postNAPTDestinationTransportPort", \.connection.translated.destinationPort),
    Field(4, "protocolIdentifier", octets: \.connection.protocol),
  ]
  static let traffic: Group = [
    Field(231, "initiatorOctets") { $0.traffic?.initiatorOctets ?? 0 },
    Field(232, "responderOctets") { $0.traffic?.responderOctets ?? 0 },
    Field(298, "initiatorPackets") { $0.traffic?.initiatorPackets ?? 0 },
    Field(299, "responderPackets") { $0.traffic?.responderPackets ?? 0 },
  ]
}

extension Field where Record == NATEvent {
  /// A time that stands by the wall clock already.
  fileprivate init(_ id: UInt16, _ name: String, _ path: any KeyPath<Record, Timestamp> & Sendable) {
    self.init(id, name) { $0[keyPath: path] }
  }
}

/// NAT events as JSON objects, by the Information Elements' names.
public struct NATEventJSONEncoder {
  private let fields: [[Field<NATEvent>]]

  /// An encoder that tells kinds of events by these numbers.
  public init(_ codes: NATEventCodes) { fields = NATEventShape.allCases.map { $0.fields(codes) } }

  /// The event as one object on one line, with the fields that it would have in IPFIX.
  public func encode(_ event: NATEvent) -> String {
    let fields = fields[NATEventShape(event).rawValue]
    return "{" + fields.map { "\"\($0.name)\":\($0.json(event))" }.joined(separator: ",") + "}"
  }
}
