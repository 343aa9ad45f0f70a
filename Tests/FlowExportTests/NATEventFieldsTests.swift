// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Information Elements of NAT events")
struct NATEventFieldsTests {
  /// Number, name and octets as the IANA registry "IPFIX Information Elements" has them.
  private static let registry: [UInt16: (String, Int)] = [
    4: ("protocolIdentifier", 1), 7: ("sourceTransportPort", 2), 8: ("sourceIPv4Address", 4),
    11: ("destinationTransportPort", 2), 12: ("destinationIPv4Address", 4), 27: ("sourceIPv6Address", 16),
    28: ("destinationIPv6Address", 16), 225: ("postNATSourceIPv4Address", 4),
    226: ("postNATDestinationIPv4Address", 4), 227: ("postNAPTSourceTransportPort", 2),
    228: ("postNAPTDestinationTransportPort", 2), 230: ("natEvent", 1), 231: ("initiatorOctets", 8),
    232: ("responderOctets", 8), 281: ("postNATSourceIPv6Address", 16), 282: ("postNATDestinationIPv6Address", 16),
    298: ("initiatorPackets", 8), 299: ("responderPackets", 8), 323: ("observationTimeMilliseconds", 8),
  ]

  @Test("numbers, names and lengths are the registry's")
  func numbersAndNames() {
    var used: Set<UInt16> = []
    for field in NATEventShape.allCases.flatMap({ $0.fields(.rfc8158) }) {
      let (name, length) = Self.registry[field.id] ?? ("not in the table", 0)
      #expect(field.name == name, "element \(field.id)")
      #expect(field.length == length, "element \(field.id)")
      used.insert(field.id)
    }
    #expect(used == Set(Self.registry.keys))
    #expect(used.allSatisfy { $0 <= 433 })
  }

  @Test("the record is ipt_NETFLOW's of 34 octets; what the connection carried stands behind")
  func order() {
    func ids(_ event: NATEvent) -> [UInt16] { NATEventShape(event).fields(.rfc8158).map(\.id) }
    func length(_ event: NATEvent) -> Int { NATEventShape(event).fields(.rfc8158).reduce(0) { $0 + $1.length } }
    let ipv4: [UInt16] = [323, 8, 12, 225, 226, 7, 11, 227, 228, 4, 230]
    #expect(ids(Sample.sourceTranslated) == ipv4)
    #expect(length(Sample.sourceTranslated) == 34)
    #expect(ids(Sample.withTraffic(Sample.sourceTranslated)) == ipv4 + [231, 232, 298, 299])
    #expect(length(Sample.withTraffic(Sample.sourceTranslated)) == 66)
    let ipv6: [UInt16] = [323, 27, 28, 281, 282, 7, 11, 227, 228, 4, 230]
    #expect(ids(Sample.ipv6Translated) == ipv6)
    #expect(length(Sample.ipv6Translated) == 82)
    #expect(ids(Sample.withTraffic(Sample.ipv6Translated)) == ipv6 + [231, 232, 298, 299])
  }

  @Test("no element stands twice in a template")
  func once() {
    for shape in NATEventShape.allCases {
      let ids = shape.fields(.rfc8158).map(\.id)
      #expect(Set(ids).count == ids.count)
    }
  }

  @Test("events are 4 and 5 by RFC 8158, 1 and 2 as ipt_NETFLOW numbers them")
  func codes() {
    #expect([NATEventCodes.rfc8158.code(.create), NATEventCodes.rfc8158.code(.delete)] == [4, 5])
    #expect([NATEventCodes.legacy.code(.create), NATEventCodes.legacy.code(.delete)] == [1, 2])
  }

  @Test("an event as JSON has the elements' names in the template's order")
  func json() {
    #expect(
      NATEventJSONEncoder(.rfc8158).encode(Sample.sourceTranslated)
        == #"{"observationTimeMilliseconds":"2023-11-14T22:13:21.789Z","sourceIPv4Address":"10.0.0.2","#
        + #""destinationIPv4Address":"198.51.100.2","postNATSourceIPv4Address":"203.0.113.1","#
        + #""postNATDestinationIPv4Address":"198.51.100.2","sourceTransportPort":1000,"#
        + #""destinationTransportPort":53,"postNAPTSourceTransportPort":2000,"#
        + #""postNAPTDestinationTransportPort":53,"protocolIdentifier":17,"natEvent":4}"#)
    let text = NATEventJSONEncoder(.legacy).encode(Sample.withTraffic(Sample.ipv6Translated))
    #expect(text.contains(#""postNATSourceIPv6Address":"2001:db8::9""#))
    #expect(
      text.hasSuffix(
        #""natEvent":1,"initiatorOctets":400,"responderOctets":300,"initiatorPackets":5,"responderPackets":4}"#))
  }
}
