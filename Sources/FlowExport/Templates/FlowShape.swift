// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// Which groups of fields a record has: records of one shape share a template.
struct FlowShape: RawRepresentable, Hashable, Sendable {
  /// Bit 0 IPv6; 1 IP options or extension headers; 2 flow label; 3 TCP options; 4 a VLAN tag; 5 a second one;
  /// 6 to 8 the ``Transport``; 9 translated; 10 physical interfaces; 11 MAC addresses; 12 a direction; 13 a user;
  /// 14 a mark; 15 aggregated addresses; 16 MPLS labels.
  var rawValue: UInt32

  /// What raw values are below.
  static let count = 1 << 17

  enum Transport: UInt32, CaseIterable {
    case none, ports, icmp, igmp, ipsec

    /// By the protocol whose header was decoded.
    init(_ number: IPProtocol) {
      switch number {
      case _ where number.hasPorts: self = .ports
      case .icmp, .icmpv6: self = .icmp
      case .igmp: self = .igmp
      case .esp, .ah: self = .ipsec
      default: self = .none
      }
    }
  }

  init(rawValue: UInt32) { self.rawValue = rawValue }

  @inline(__always)
  init(_ record: borrowing FlowRecord) {
    var bits: UInt32 = record.key.version == .v4 ? 0 : 1
    if record.ipOptions != 0 { bits |= 1 << 1 }
    if record.flowLabel != 0 { bits |= 1 << 2 }
    if record.tcpOptions != 0 { bits |= 1 << 3 }
    // A priority tag (VLAN id and priority 0) may stand around a real one.
    if record.key.outerTag | record.key.innerTag != 0 { bits |= 1 << 4 }
    if record.key.innerTag != 0 { bits |= 1 << 5 }
    if record.isTranslated { bits |= 1 << 9 }
    if record.direction != nil { bits |= 1 << 12 }
    if record.sourcePrefixLength | record.destinationPrefixLength != 0 { bits |= 1 << 15 }
    if record.key.recordedLabels != 0 { bits |= 1 << 16 }
    if !record.detail.isEmpty { bits |= Self.bits(of: record.detail) }
    rawValue = bits | Transport(record.key.protocol).rawValue << 6
  }

  private static func bits(of detail: PacketDetail) -> UInt32 {
    var bits: UInt32 = 0
    if detail.ingressPhysicalInterface | detail.egressPhysicalInterface != 0 { bits |= 1 << 10 }
    if !detail.sourceMACAddress.isZero || !detail.destinationMACAddress.isZero { bits |= 1 << 11 }
    if detail.userID != nil { bits |= 1 << 13 }
    if detail.mark != 0 { bits |= 1 << 14 }
    return bits
  }

  /// A shape of each IP version and transport with all that there can be beside: as a bit adds groups and takes none
  /// away, every field is in one of them.
  static var fullest: [FlowShape] {
    Transport.allCases.flatMap { transport in
      [0, 1].map { version in
        FlowShape(rawValue: UInt32(count - 1) & ~(7 << 6 | 1) | transport.rawValue << 6 | version)
      }
    }
  }

  private func has(_ bit: UInt16) -> Bool { rawValue & 1 << bit != 0 }
  private var isIPv6: Bool { has(0) }
  private var transport: Transport { Transport(rawValue: rawValue >> 6 & 7) ?? .none }

  /// The record's fields in the order of ipt_NETFLOW's blocks, so that its users' collectors see what they know.
  ///
  /// - Parameters:
  ///   - isSampled: whether Flows or packets are sampled: then records say by which sampler.
  ///   - labels: how many label stack sections the records of labelled Flows have.
  ///   - rules: what the destination's profile changes.
  func fields(
    for format: FieldDialect, isSampled: Bool = false, labels: Int = 0, _ rules: FieldRules = FieldRules()
  ) -> [Field<FlowRecord>] {
    var fields = isIPv6 ? FlowFields.ipv6 : FlowFields.ipv4
    if has(2) { fields += FlowFields.flowLabel }
    if has(1) { fields += isIPv6 ? FlowFields.extensionHeaders : FlowFields.ipv4Options }
    if has(15), !isIPv6 { fields += FlowFields.ipv4PrefixLengths }
    switch (transport, format) {
    case (.icmp, .ipfix): fields += isIPv6 ? FlowFields.icmpIPv6 : FlowFields.icmpIPv4
    case (.icmp, .netFlow9):
      fields += FlowFields.icmpPorts
      if !isIPv6 || rules.hasTypeOfICMPv6InNetFlow9 { fields += FlowFields.icmpIPv4 }
    case (.ports, _): fields += FlowFields.ports
    case (.none, _), (.igmp, _), (.ipsec, _): break
    }
    fields += FlowFields.interfaces
    if has(10) { fields += FlowFields.physicalInterfaces }
    fields += FlowFields.counters
    fields += format == .ipfix ? FlowFields.absoluteTimes : FlowFields.upTimes
    fields += FlowFields.protocolAndClass
    if format == .ipfix { fields += FlowFields.endReason }
    if has(3) { fields += FlowFields.tcpOptions }
    if transport == .igmp { fields += FlowFields.igmp }
    if transport == .ipsec { fields += FlowFields.ipsec }
    if has(11) { fields += FlowFields.hardwareAddresses }
    if has(4) {
      fields += FlowFields.vlan
      if format == .ipfix { fields += FlowFields.outerTag }
      if has(5), format == .ipfix { fields += FlowFields.innerTag }
    }
    if has(4) || has(11) { fields += FlowFields.etherType }
    if has(16) { fields += FlowFields.labelStack(labels) }
    if has(12) { fields += FlowFields.direction }
    if isSampled { fields += format == .ipfix ? FlowFields.selector : FlowFields.sampler }
    if has(9) {
      fields += isIPv6 ? FlowFields.postNATIPv6 : FlowFields.postNATIPv4
      if transport == .ports { fields += FlowFields.postNAPT }
    }
    if has(13) { fields += FlowFields.user }
    if has(14), format == .ipfix { fields += FlowFields.mark }
    return fields.filter { rules.allows($0, inFlowsOf: format) }
  }
}

/// Whose words a template uses where NetFlow v9 and IPFIX differ.
enum FieldDialect: Sendable {
  case netFlow9
  case ipfix
}

/// Flow Records as JSON objects, by the Information Elements' names.
public struct FlowJSONEncoder {
  private var fields: [Layout: [Field<FlowRecord>]] = [:]

  /// An object has no more label stack sections than are recorded.
  private struct Layout: Hashable {
    let shape: FlowShape
    let labels: UInt8
  }

  public init() {}

  /// The record as one object on one line, with the fields that it would have in IPFIX.
  public mutating func encode(_ record: FlowRecord) -> String {
    let layout = Layout(shape: FlowShape(record), labels: record.key.recordedLabels)
    let fields = self.fields[layout] ?? layout.shape.fields(for: .ipfix, labels: Int(layout.labels))
    self.fields[layout] = fields
    return "{" + fields.map { "\"\($0.name)\":\($0.json(record))" }.joined(separator: ",") + "}"
  }
}
