// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Information Elements")
struct FlowFieldsTests {
  /// Number, name and octets as the IANA registry "IPFIX Information Elements" has them; 6 in one octet, which the
  /// registry allows and collectors want.
  private static let registry: [UInt16: (String, Int)] = [
    1: ("octetDeltaCount", 8), 2: ("packetDeltaCount", 8), 4: ("protocolIdentifier", 1), 5: ("ipClassOfService", 1),
    6: ("tcpControlBits", 1), 7: ("sourceTransportPort", 2), 8: ("sourceIPv4Address", 4), 10: ("ingressInterface", 4),
    11: ("destinationTransportPort", 2), 12: ("destinationIPv4Address", 4), 14: ("egressInterface", 4),
    15: ("ipNextHopIPv4Address", 4), 21: ("flowEndSysUpTime", 4), 22: ("flowStartSysUpTime", 4),
    27: ("sourceIPv6Address", 16), 28: ("destinationIPv6Address", 16), 31: ("flowLabelIPv6", 4),
    32: ("icmpTypeCodeIPv4", 2), 33: ("igmpType", 1), 56: ("sourceMacAddress", 6), 58: ("vlanId", 2),
    60: ("ipVersion", 1), 61: ("flowDirection", 1), 62: ("ipNextHopIPv6Address", 16), 64: ("ipv6ExtensionHeaders", 4),
    80: ("destinationMacAddress", 6), 136: ("flowEndReason", 1), 139: ("icmpTypeCodeIPv6", 2),
    152: ("flowStartMilliseconds", 8), 153: ("flowEndMilliseconds", 8), 208: ("ipv4Options", 4), 209: ("tcpOptions", 4),
    225: ("postNATSourceIPv4Address", 4), 226: ("postNATDestinationIPv4Address", 4),
    227: ("postNAPTSourceTransportPort", 2), 228: ("postNAPTDestinationTransportPort", 2), 230: ("natEvent", 1),
    231: ("initiatorOctets", 8), 232: ("responderOctets", 8), 298: ("initiatorPackets", 8),
    299: ("responderPackets", 8),
    323: ("observationTimeMilliseconds", 8), 243: ("dot1qVlanId", 2),
    244: ("dot1qPriority", 1), 245: ("dot1qCustomerVlanId", 2), 246: ("dot1qCustomerPriority", 1),
    252: ("ingressPhysicalInterface", 4), 253: ("egressPhysicalInterface", 4), 256: ("ethernetType", 2),
    281: ("postNATSourceIPv6Address", 16), 282: ("postNATDestinationIPv6Address", 16), 295: ("IPSecSPI", 4),
    371: ("userName", 16), 9: ("sourceIPv4PrefixLength", 1),
    13: ("destinationIPv4PrefixLength", 1), 48: ("samplerId", 1), 302: ("selectorId", 8),
    70: ("mplsTopLabelStackSection", 3), 71: ("mplsLabelStackSection2", 3), 72: ("mplsLabelStackSection3", 3),
    73: ("mplsLabelStackSection4", 3), 74: ("mplsLabelStackSection5", 3), 75: ("mplsLabelStackSection6", 3),
    76: ("mplsLabelStackSection7", 3), 77: ("mplsLabelStackSection8", 3), 78: ("mplsLabelStackSection9", 3),
    79: ("mplsLabelStackSection10", 3), 200: ("mplsTopLabelTTL", 1), 202: ("mplsLabelStackDepth", 4),
  ]
  /// Of the options records.
  private static let optionsRegistry: [UInt16: (String, Int)] = [
    10: ("ingressInterface", 4), 34: ("samplingInterval", 4), 35: ("samplingAlgorithm", 1),
    40: ("exportedOctetTotalCount", 8), 41: ("exportedMessageTotalCount", 8), 42: ("exportedFlowRecordTotalCount", 8),
    48: ("samplerId", 1), 49: ("samplerMode", 1), 50: ("samplerRandomInterval", 4), 82: ("interfaceName", 16),
    83: ("interfaceDescription", 64), 152: ("flowStartMilliseconds", 8), 153: ("flowEndMilliseconds", 8),
    160: ("systemInitTimeMilliseconds", 8), 163: ("observedFlowTotalCount", 8), 164: ("ignoredPacketTotalCount", 8),
    166: ("notSentFlowTotalCount", 8), 167: ("notSentPacketTotalCount", 8), 168: ("notSentOctetTotalCount", 8),
    300: ("observationDomainName", 32), 339: ("informationElementDataType", 1),
    341: ("informationElementName", 32), 344: ("informationElementSemantics", 1), 345: ("informationElementUnits", 2),
    309: ("samplingSize", 4), 310: ("samplingPopulation", 4),
    302: ("selectorId", 8), 304: ("selectorAlgorithm", 2), 305: ("samplingPacketInterval", 4),
    306: ("samplingPacketSpace", 4),
    318: ("selectorIdTotalPktsObserved", 8), 319: ("selectorIdTotalPktsSelected", 8),
    390: ("flowSelectorAlgorithm", 2), 394: ("selectorIDTotalFlowsObserved", 8),
    395: ("selectorIDTotalFlowsSelected", 8), 396: ("samplingFlowInterval", 8), 397: ("samplingFlowSpacing", 8),
  ]
  private static let dialects = [FieldDialect.ipfix, .netFlow9]

  @Test("numbers, names and lengths of the fields of Flow Records and NAT events are the registry's")
  func numbersAndNames() {
    let list = FlowFields.list().filter { $0.enterprise == nil }
    for field in list {
      let (name, length) = Self.registry[field.id] ?? ("not in the table", 0)
      #expect(field.name == name, "element \(field.id)")
      #expect(field.length == length, "element \(field.id)")
    }
    #expect(list.map(\.id) == Self.registry.keys.sorted())
  }

  @Test("the one element of an enterprise is netfilter's mark, which v9 cannot name")
  func enterprises() {
    let list = FlowFields.list().filter { $0.enterprise != nil }
    #expect(
      list == [
        FieldDescription(
          id: 4, enterprise: 21373, name: "netfilterMark", length: 4, isInIPFIX: true, isInNetFlow9: false)
      ])
  }

  @Test("the list has every field that any shape has")
  func listIsComplete() {
    var names: Set<String> = []
    for record in Sample.everyDetailedShape.prefix(5000) {
      for dialect in Self.dialects { names.formUnion(FlowShape(record).fields(for: dialect).map(\.name)) }
    }
    #expect(names.isSubset(of: Set(FlowFields.list().map(\.name))))
  }

  @Test("numbers, names and lengths of the options' fields are the registry's, where it fixes the length")
  func optionsFields() {
    for field in OptionsKind.allCases.flatMap(\.fields) {
      let (name, length) = Self.optionsRegistry[field.id] ?? ("not in the table", 0)
      #expect(field.name == name, "element \(field.id)")
      #expect(field.length == length, "element \(field.id)")
    }
  }

  @Test("no element is above 433, so that no collector drops a template for one that it does not know")
  func highest() {
    #expect(FlowFields.list().map(\.id).max()! <= 433)
    #expect(OptionsKind.allCases.flatMap(\.fields).map(\.id).max()! <= 433)
  }

  @Test("v9 has none of the elements that lose the template there, but of flows whose MPLS labels are recorded")
  func forbiddenInNetFlow9() {
    let forbidden = Set<UInt16>(70...79).union([87, 88, 90, 91, 100, 102, 103, 104])
    let labelled = Set(FlowFields.labelStack(10).map(\.id))
    #expect(FlowFields.list().filter(\.isInNetFlow9).allSatisfy { !forbidden.subtracting(labelled).contains($0.id) })
    for record in Sample.everyDetailedShape where record.key.recordedLabels == 0 {
      let ids = FlowShape(record).fields(for: .netFlow9, labels: 10).map(\.id)
      if !forbidden.isDisjoint(with: ids) { Issue.record("\(ids)") }
    }
    #expect(OptionsKind.allCases.flatMap(\.fields).allSatisfy { !forbidden.contains($0.id) })
  }

  @Test("no element stands twice in the template of any shape", arguments: dialects)
  func onceInATemplate(dialect: FieldDialect) {
    var shapes: Set<FlowShape> = []
    for record in Sample.everyDetailedShape where shapes.insert(FlowShape(record)).inserted {
      let names = FlowShape(record).fields(for: dialect).map(\.name)
      if Set(names).count != names.count { Issue.record("\(names)") }
    }
    for kind in OptionsKind.allCases { #expect(Set(kind.fields.map(\.id)).count == kind.fields.count) }
  }

  @Test("every shape has addresses, interfaces, counters, times, protocol and class in both dialects")
  func always() {
    for record in Sample.everyShape {
      let addresses: Set<UInt16> = record.key.version == .v4 ? [8, 12, 15, 60] : [27, 28, 62, 60]
      let ipfix = Set(FlowShape(record).fields(for: .ipfix).map(\.id))
      #expect(ipfix.isSuperset(of: addresses.union([10, 14, 2, 1, 152, 153, 4, 5, 136])))
      #expect(ipfix.isDisjoint(with: [21, 22]))
      let netFlow9 = Set(FlowShape(record).fields(for: .netFlow9).map(\.id))
      #expect(netFlow9.isSuperset(of: addresses.union([10, 14, 2, 1, 22, 21, 4, 5])))
      #expect(netFlow9.isDisjoint(with: [136, 139, 152, 153, 243, 244, 245, 246]))
    }
  }

  @Test("templates are ipt_NETFLOW's blocks in its order")
  func order() {
    func ids(_ record: FlowRecord, _ dialect: FieldDialect) -> [UInt16] {
      FlowShape(record).fields(for: dialect).map(\.id)
    }
    #expect(ids(Sample.tcp, .ipfix) == [8, 12, 15, 60, 7, 11, 6, 10, 14, 2, 1, 152, 153, 4, 5, 136])
    #expect(ids(Sample.tcp, .netFlow9) == [8, 12, 15, 60, 7, 11, 6, 10, 14, 2, 1, 22, 21, 4, 5])
    #expect(ids(Sample.udp6, .ipfix) == [27, 28, 62, 60, 31, 7, 11, 6, 10, 14, 2, 1, 152, 153, 4, 5, 136])
    #expect(ids(Sample.ipv4(.icmp), .ipfix) == [8, 12, 15, 60, 32, 10, 14, 2, 1, 152, 153, 4, 5, 136])
    #expect(ids(Sample.ipv4(.icmp), .netFlow9) == [8, 12, 15, 60, 7, 11, 32, 10, 14, 2, 1, 22, 21, 4, 5])
    #expect(ids(Sample.ipv6(.icmpv6), .ipfix) == [27, 28, 62, 60, 139, 10, 14, 2, 1, 152, 153, 4, 5, 136])
    var full = Sample.ipv6(.tcp)
    (full.flowLabel, full.ipOptions, full.tcpOptions, full.key.outerTag, full.key.innerTag) = (1, 1, 1, 1, 1)
    #expect(
      ids(full, .ipfix) == [
        27, 28, 62, 60, 31, 64, 7, 11, 6, 10, 14, 2, 1, 152, 153, 4, 5, 136, 209, 58, 243, 244, 245, 246, 256,
      ])
    #expect(
      ids(full, .netFlow9) == [27, 28, 62, 60, 31, 64, 7, 11, 6, 10, 14, 2, 1, 22, 21, 4, 5, 209, 58, 256])
    #expect(ids(Sample.ipv4(.esp), .netFlow9) == [8, 12, 15, 60, 10, 14, 2, 1, 22, 21, 4, 5, 295])
    #expect(ids(Sample.ipv4(.igmp), .ipfix) == [8, 12, 15, 60, 10, 14, 2, 1, 152, 153, 4, 5, 136, 33])
    #expect(ids(Sample.ipv4(.udp) { $0.ipOptions = 1 }, .ipfix).prefix(6) == [8, 12, 15, 60, 208, 7])
  }

  @Test("prefix lengths of aggregated addresses stand behind the options, of IPv4 alone")
  func prefixLengths() {
    func ids(_ record: FlowRecord) -> [UInt16] { FlowShape(record).fields(for: .ipfix).map(\.id) }
    let source = Sample.ipv4(.hip) { ($0.sourcePrefixLength, $0.ipOptions) = (24, 1) }
    #expect(ids(source).prefix(7) == [8, 12, 15, 60, 208, 9, 13])
    #expect(ids(Sample.ipv4(.hip) { $0.destinationPrefixLength = 32 }).prefix(6) == [8, 12, 15, 60, 9, 13])
    #expect(ids(Sample.ipv6(.hip) { $0.sourcePrefixLength = 24 }).prefix(5) == [27, 28, 62, 60, 10])
  }

  @Test("what a source knows beside stands where ipt_NETFLOW has it, user and mark at the end")
  func detailOrder() {
    func ids(_ dialect: FieldDialect, _ change: (inout FlowRecord) -> Void) -> [UInt16] {
      var record = Sample.ipv4(.hip)
      change(&record)
      return FlowShape(record).fields(for: dialect).map(\.id)
    }
    #expect(ids(.ipfix) { _ in } == [8, 12, 15, 60, 10, 14, 2, 1, 152, 153, 4, 5, 136])
    for change in [{ $0.detail.ingressPhysicalInterface = 1 }, { $0.detail.egressPhysicalInterface = 1 }]
      as [(inout FlowRecord) -> Void]
    {
      #expect(ids(.ipfix, change) == [8, 12, 15, 60, 10, 14, 252, 253, 2, 1, 152, 153, 4, 5, 136])
      #expect(ids(.netFlow9, change) == [8, 12, 15, 60, 10, 14, 252, 253, 2, 1, 22, 21, 4, 5])
    }
    for change in [
      { $0.detail.sourceMACAddress = mac("020000000001") }, { $0.detail.destinationMACAddress = mac("020000000001") },
    ] as [(inout FlowRecord) -> Void] {
      #expect(ids(.ipfix, change).suffix(4) == [136, 80, 56, 256])
      #expect(ids(.netFlow9, change).suffix(4) == [5, 80, 56, 256])
    }
    #expect(ids(.ipfix) { $0.direction = .ingress }.suffix(2) == [136, 61])
    #expect(ids(.netFlow9) { $0.direction = .egress }.suffix(2) == [5, 61])
    #expect(ids(.ipfix) { $0.detail.userID = 0 }.suffix(2) == [136, 371])
    #expect(ids(.netFlow9) { $0.detail.userID = 0 }.suffix(2) == [5, 371])
    #expect(ids(.ipfix) { $0.detail.mark = 1 }.suffix(2) == [136, 4])
    #expect(ids(.netFlow9) { $0.detail.mark = 1 }.suffix(2) == [4, 5])
    func all(_ record: inout FlowRecord) {
      (record.key.outerTag, record.direction, record.isTranslated) = (1, .egress, true)
      (record.detail.ingressPhysicalInterface, record.detail.mark, record.detail.userID) = (1, 1, 1)
      record.detail.sourceMACAddress = mac("020000000001")
    }
    #expect(
      ids(.ipfix, all) == [
        8, 12, 15, 60, 10, 14, 252, 253, 2, 1, 152, 153, 4, 5, 136, 80, 56, 58, 243, 244, 256, 61, 225, 226, 371, 4,
      ])
    #expect(
      ids(.netFlow9, all) == [
        8, 12, 15, 60, 10, 14, 252, 253, 2, 1, 22, 21, 4, 5, 80, 56, 58, 256, 61, 225, 226, 371,
      ])
  }

  @Test("protocols with ports, ICMP, IGMP and IPsec have shapes of their own, all others one")
  func transports() {
    for number in 0...255 as ClosedRange<UInt8> {
      let expected: FlowShape.Transport =
        switch number {
        case 6, 17, 33, 132, 136: .ports
        case 1, 58: .icmp
        case 2: .igmp
        case 50, 51: .ipsec
        default: .none
        }
      #expect(FlowShape.Transport(IPProtocol(rawValue: number)) == expected, "protocol \(number)")
    }
  }

  @Test("records of 240 shapes find 240 templates")
  func shapes() {
    #expect(Set(Sample.everyShape.map { FlowShape($0) }).count == 240)
    #expect(Set(Sample.everyDetailedShape.map { FlowShape($0) }).count == 128 * 240)
    #expect(Sample.everyDetailedShape.allSatisfy { Int(FlowShape($0).rawValue) < FlowShape.count })
    let aggregated = Sample.everyShape.map { record in
      var record = record
      record.destinationPrefixLength = 24
      return FlowShape(record)
    }
    #expect(Set(aggregated + Sample.everyShape.map { FlowShape($0) }).count == 2 * 240)
    #expect(aggregated.allSatisfy { Int($0.rawValue) < FlowShape.count })
  }

  @Test("a record of a translated connection ends with what its packets become, ports where there are any")
  func translated() {
    func ids(_ record: FlowRecord) -> [UInt16] { FlowShape(record).fields(for: .netFlow9).map(\.id) }
    #expect(ids(Sample.ipv4(.udp) { $0.isTranslated = true }).suffix(5) == [5, 225, 226, 227, 228])
    #expect(ids(Sample.ipv4(.icmp) { $0.isTranslated = true }).suffix(3) == [5, 225, 226])
    #expect(ids(Sample.ipv6(.tcp) { $0.isTranslated = true }).suffix(5) == [5, 281, 282, 227, 228])
  }

  @Test("a tag inside a priority tag, whose control information is 0, is exported with it")
  func priorityTag() {
    let record = Sample.ipv4(.udp) { $0.key.innerTag = 100 }
    #expect(FlowShape(record).fields(for: .ipfix).map(\.id).suffix(6) == [58, 243, 244, 245, 246, 256])
  }

  @Test("a Flow as JSON has the elements' names in the template's order")
  func json() {
    var encoder = FlowJSONEncoder()
    let text = encoder.encode(Sample.tcp)
    #expect(
      text
        == #"{"sourceIPv4Address":"192.0.2.1","destinationIPv4Address":"198.51.100.2","#
        + #""ipNextHopIPv4Address":"0.0.0.0","ipVersion":4,"#
        + #""sourceTransportPort":49152,"destinationTransportPort":443,"tcpControlBits":27,"#
        + #""ingressInterface":2,"egressInterface":3,"packetDeltaCount":10,"octetDeltaCount":5000,"#
        + #""flowStartMilliseconds":"2023-11-14T22:13:20.123Z","flowEndMilliseconds":"2023-11-14T22:13:22.456Z","#
        + #""protocolIdentifier":6,"ipClassOfService":16,"flowEndReason":3}"#)
    #expect(encoder.encode(Sample.tcp) == text)
  }

  @Test("a labelled flow has the top label's TTL, the stack's depth and the entries, in front of the direction")
  func labels() {
    let record = Sample.ipv4(.hip) {
      $0.key.recordedLabels = 2
      $0.direction = .ingress
    }
    func ids(_ dialect: FieldDialect, _ labels: Int) -> [UInt16] {
      FlowShape(record).fields(for: dialect, labels: labels).map(\.id)
    }
    #expect(ids(.ipfix, 1).suffix(5) == [136, 200, 202, 70, 61])
    #expect(ids(.netFlow9, 3).suffix(7) == [5, 200, 202, 70, 71, 72, 61])
    #expect(ids(.ipfix, 10).suffix(13) == [200, 202] + Array(70...79) + [61])
  }

  @Test("a labelled flow's JSON has the entries that are recorded, as three octets each")
  func labelsJSON() {
    var encoder = FlowJSONEncoder()
    let tail = #","mplsTopLabelTTL":63,"mplsLabelStackDepth":3,"mplsTopLabelStackSection":"00010a","#
    #expect(encoder.encode(Sample.labelled(2)).hasSuffix(tail + #""mplsLabelStackSection2":"000110"}"#))
    #expect(
      encoder.encode(Sample.labelled(3)).hasSuffix(
        tail + #""mplsLabelStackSection2":"000110","mplsLabelStackSection3":"fffff3"}"#))
  }

  @Test("what a source knows beside is in the JSON object too, addresses with colons, the user as a text")
  func detailJSON() {
    var record = Sample.ipv4(.hip)
    record.direction = .egress
    (record.detail.ingressPhysicalInterface, record.detail.mark, record.detail.userID) = (7, 0xffff_ffff, 1000)
    record.detail.sourceMACAddress = mac("020000000001")
    record.detail.destinationMACAddress = mac("0200000000ff")
    var encoder = FlowJSONEncoder()
    let text = encoder.encode(record)
    #expect(text.contains(#""egressInterface":3,"ingressPhysicalInterface":7,"egressPhysicalInterface":0,"packet"#))
    #expect(
      text.hasSuffix(
        #""flowEndReason":1,"destinationMacAddress":"02:00:00:00:00:ff","sourceMacAddress":"02:00:00:00:00:01","#
          + #""ethernetType":2048,"flowDirection":1,"userName":"1000","netfilterMark":4294967295}"#))
  }
}
