// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The Information Elements of a Flow Record, in the groups of which templates are made.
///
/// A template is the concatenation of the groups that the record's shape calls for, in the order of
/// `FlowShape.fields`. Only elements up to 433, and none of an enterprise but netfilter's mark: a collector that meets
/// one it does not know may drop the whole template.
public enum FlowFields {
  typealias Group = [Field<FlowRecord>]

  static let ipv4: Group = [
    Field(8, "sourceIPv4Address", octets: \.key.source.ipv4),
    Field(12, "destinationIPv4Address", octets: \.key.destination.ipv4),
    Field(15, "ipNextHopIPv4Address", octets: \.nextHop.ipv4),
    Field(60, "ipVersion", octets: \.key.version),
  ]
  static let ipv4Options: Group = [Field(208, "ipv4Options", \.ipOptions)]
  /// Of aggregated addresses; 0 of one that is whole.
  static let ipv4PrefixLengths: Group = [
    Field(9, "sourceIPv4PrefixLength", \.sourcePrefixLength),
    Field(13, "destinationIPv4PrefixLength", \.destinationPrefixLength),
  ]
  static let icmpIPv4: Group = [Field(32, "icmpTypeCodeIPv4", \.key.destinationPort)]

  static let ipv6: Group = [
    Field(27, "sourceIPv6Address", octets: \.key.source),
    Field(28, "destinationIPv6Address", octets: \.key.destination),
    Field(62, "ipNextHopIPv6Address", octets: \.nextHop),
    Field(60, "ipVersion", octets: \.key.version),
  ]
  static let flowLabel: Group = [Field(31, "flowLabelIPv6", \.flowLabel)]
  static let extensionHeaders: Group = [Field(64, "ipv6ExtensionHeaders", \.ipOptions)]
  static let icmpIPv6: Group = [Field(139, "icmpTypeCodeIPv6", \.key.destinationPort)]

  static let ports: Group = [
    Field(7, "sourceTransportPort", \.key.sourcePort),
    Field(11, "destinationTransportPort", \.key.destinationPort),
    Field(6, "tcpControlBits", \.tcpControlBits),
  ]
  /// NetFlow v9 reports ICMP type × 256 + code as the destination port; nfdump looks for element 32 beside it.
  static let icmpPorts: Group = [
    Field(7, "sourceTransportPort", \.key.sourcePort),
    Field(11, "destinationTransportPort", \.key.destinationPort),
  ]

  static let interfaces: Group = [
    Field(10, "ingressInterface", \.key.ingressInterface),
    Field(14, "egressInterface", \.egressInterface),
  ]
  /// The ports of a bridge or a bond.
  static let physicalInterfaces: Group = [
    Field(252, "ingressPhysicalInterface", \.detail.ingressPhysicalInterface),
    Field(253, "egressPhysicalInterface", \.detail.egressPhysicalInterface),
  ]
  static let counters: Group = [
    Field(2, "packetDeltaCount", \.packets),
    Field(1, "octetDeltaCount", \.octets),
  ]
  static let absoluteTimes: Group = [
    .time(152, "flowStartMilliseconds", \.start),
    .time(153, "flowEndMilliseconds", \.end),
  ]
  static let upTimes: Group = [
    .upTime(22, "flowStartSysUpTime", \.start),
    .upTime(21, "flowEndSysUpTime", \.end),
  ]
  static let protocolAndClass: Group = [
    Field(4, "protocolIdentifier", octets: \.key.protocol),
    Field(5, "ipClassOfService", \.key.classOfService),
  ]
  static let endReason: Group = [Field(136, "flowEndReason", octets: \.endReason)]

  static let tcpOptions: Group = [Field(209, "tcpOptions", \.tcpOptions)]
  static let igmp: Group = [Field(33, "igmpType") { UInt8(truncatingIfNeeded: $0.key.destinationPort) }]
  static let ipsec: Group = [Field(295, "IPSecSPI") { $0.securityParameterIndex }]

  /// Of a translated connection: what the packets are behind all translations (RFC 8158 section 4.1).
  static let postNATIPv4: Group = [
    Field(225, "postNATSourceIPv4Address", octets: \.postNATSource.ipv4),
    Field(226, "postNATDestinationIPv4Address", octets: \.postNATDestination.ipv4),
  ]
  static let postNATIPv6: Group = [
    Field(281, "postNATSourceIPv6Address", octets: \.postNATSource),
    Field(282, "postNATDestinationIPv6Address", octets: \.postNATDestination),
  ]
  static let postNAPT: Group = [
    Field(227, "postNAPTSourceTransportPort", \.postNAPTSourcePort),
    Field(228, "postNAPTDestinationTransportPort", \.postNAPTDestinationPort),
  ]

  static let hardwareAddresses: Group = [
    Field(80, "destinationMacAddress", octets: \.detail.destinationMACAddress),
    Field(56, "sourceMacAddress", octets: \.detail.sourceMACAddress),
  ]

  /// vlanId is what every collector reads; the dot1q elements tell the rest to those that know them.
  static let vlan: Group = [Field(58, "vlanId") { FlowRecord.vlan($0.key.outerTag).id }]
  static let outerTag: Group = [
    Field(243, "dot1qVlanId") { FlowRecord.vlan($0.key.outerTag).id },
    Field(244, "dot1qPriority") { FlowRecord.vlan($0.key.outerTag).priority },
  ]
  static let innerTag: Group = [
    Field(245, "dot1qCustomerVlanId") { FlowRecord.vlan($0.key.innerTag).id },
    Field(246, "dot1qCustomerPriority") { FlowRecord.vlan($0.key.innerTag).priority },
  ]
  /// The EtherType behind the tags.
  static let etherType: Group = [
    Field(256, "ethernetType") { EtherType.of($0.key.version) }
  ]
  /// Of as many entries as are recorded, from the top: zeros follow behind the one that has the S bit.
  static func labelStack(_ labels: Int) -> Group { labelStackTop + labelStackSections.prefix(labels) }

  private static let labelStackTop: Group = [
    Field(200, "mplsTopLabelTTL") { $0.labels.topTTL },
    Field(202, "mplsLabelStackDepth", \.labels.depth),
  ]
  private static let labelStackSections: Group = [
    Field(70, "mplsTopLabelStackSection") { LabelStackSection(number: $0.labels.section(0)) },
    Field(71, "mplsLabelStackSection2") { LabelStackSection(number: $0.labels.section(1)) },
    Field(72, "mplsLabelStackSection3") { LabelStackSection(number: $0.labels.section(2)) },
    Field(73, "mplsLabelStackSection4") { LabelStackSection(number: $0.labels.section(3)) },
    Field(74, "mplsLabelStackSection5") { LabelStackSection(number: $0.labels.section(4)) },
    Field(75, "mplsLabelStackSection6") { LabelStackSection(number: $0.labels.section(5)) },
    Field(76, "mplsLabelStackSection7") { LabelStackSection(number: $0.labels.section(6)) },
    Field(77, "mplsLabelStackSection8") { LabelStackSection(number: $0.labels.section(7)) },
    Field(78, "mplsLabelStackSection9") { LabelStackSection(number: $0.labels.section(8)) },
    Field(79, "mplsLabelStackSection10") { LabelStackSection(number: $0.labels.section(9)) },
  ]

  static let direction: Group = [.known(61, "flowDirection", octets: \.direction)]
  /// Of sampled Flows: by which sampler, the one that the options records tell of.
  static let sampler: Group = [samplerID()]
  static let selector: Group = [selectorID()]

  static func samplerID<Record>() -> Field<Record> { Field(48, "samplerId") { _ in UInt8(1) } }
  static func selectorID<Record>() -> Field<Record> { Field(302, "selectorId") { _ in UInt64(1) } }

  /// The owner of the sending socket by number: who that is, the names of another machine do not tell.
  static let user: Group = [Field(371, "userName") { UserName(text: String($0.detail.userID ?? 0)) }]
  /// The netfilter project's element (Private Enterprise Number 21373), as ulogd2 exports it.
  static let mark: Group = [
    Field(markElement.id, of: markElement.enterprise, markElement.name, \.detail.mark)
  ]
  static let markElement: (enterprise: UInt32, id: UInt16, name: String) = (21373, 4, "netfilterMark")
}
