// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Profiles")
struct FieldProfileTests {
  private func ids(_ record: FlowRecord, _ dialect: FieldDialect, _ profile: FieldProfile) -> [UInt16] {
    FlowShape(record).fields(for: dialect, isSampled: true, profile.rules).map(\.id)
  }

  private func ids(_ event: NATEvent, _ profile: FieldProfile) -> [UInt16] {
    NATEventShape(event).fields(.rfc8158, profile.rules).map(\.id)
  }

  /// A TCP Flow with a tag, a mark, a user and translated addresses.
  private static let everything: FlowRecord = {
    var record = Sample.tcp
    (record.key.outerTag, record.isTranslated, record.direction) = (0x2064, true, .ingress)
    (record.detail.mark, record.detail.userID) = (7, 1000)
    return record
  }()

  @Test("Logstash gets all but elements of enterprises, whose template it would drop")
  func logstash() {
    #expect(ids(Self.everything, .ipfix, .generic).suffix(6) == [225, 226, 227, 228, 371, 4])
    #expect(ids(Self.everything, .ipfix, .logstash).suffix(5) == [225, 226, 227, 228, 371])
    #expect(ids(Self.everything, .netFlow9, .logstash) == ids(Self.everything, .netFlow9, .generic))
    // The registry's element 4 is another one.
    #expect(ids(Sample.tcp, .ipfix, .logstash).contains(4))
  }

  @Test(
    "nfdump and goflow2 get type and code of ICMPv6 in v9 beside the port", arguments: [FieldProfile.nfdump, .goflow2])
  func typeOfICMPv6(profile: FieldProfile) {
    let echo = Sample.ipv6(.icmpv6)
    #expect(ids(echo, .netFlow9, .generic) == [27, 28, 62, 60, 7, 11, 10, 14, 2, 1, 22, 21, 4, 5, 48])
    #expect(ids(echo, .netFlow9, profile) == [27, 28, 62, 60, 7, 11, 32, 10, 14, 2, 1, 22, 21, 4, 5, 48])
    #expect(ids(echo, .ipfix, profile) == ids(echo, .ipfix, .generic))
    #expect(ids(Sample.ipv4(.icmp), .netFlow9, profile) == ids(Sample.ipv4(.icmp), .netFlow9, .generic))
  }

  @Test("the module's records are those of its blocks, in their order")
  func iptNetFlow() {
    #expect(
      ids(Self.everything, .ipfix, .iptNetFlow)
        == [8, 12, 15, 60, 7, 11, 6, 10, 14, 2, 1, 152, 153, 4, 5, 136, 243, 244, 256, 61, 302])
    #expect(
      ids(Self.everything, .netFlow9, .iptNetFlow)
        == [8, 12, 15, 60, 7, 11, 6, 10, 14, 2, 1, 22, 21, 4, 5, 58, 256, 61, 48])
    // ICMP of IPv4: by its element in IPFIX, as ports in v9.
    #expect(
      ids(Sample.ipv4(.icmp), .ipfix, .iptNetFlow)
        == [8, 12, 15, 60, 32, 10, 14, 2, 1, 152, 153, 4, 5, 136, 302])
    #expect(
      ids(Sample.ipv4(.icmp), .netFlow9, .iptNetFlow) == [8, 12, 15, 60, 7, 11, 10, 14, 2, 1, 22, 21, 4, 5, 48])
    #expect(
      ids(Sample.withTraffic(Sample.sourceTranslated), .iptNetFlow)
        == [323, 8, 12, 225, 226, 7, 11, 227, 228, 4, 230])
  }

  @Test("of MPLS, Logstash gets no labels in v9, and the module has no depth of the stack")
  func labels() {
    func ids(_ dialect: FieldDialect, _ profile: FieldProfile) -> ArraySlice<UInt16> {
      let ids = FlowShape(Sample.labelled(2)).fields(for: dialect, labels: 2, profile.rules).map(\.id)
      return ids[(ids.firstIndex(of: dialect == .ipfix ? 136 : 5)! + 1)...]
    }
    #expect(ids(.ipfix, .generic) == [200, 202, 70, 71])
    #expect(ids(.netFlow9, .generic) == [200, 202, 70, 71])
    #expect(ids(.ipfix, .logstash) == [200, 202, 70, 71])
    #expect(ids(.netFlow9, .logstash) == [200, 202])
    #expect(ids(.ipfix, .iptNetFlow) == [200, 70, 71])
    #expect(ids(.netFlow9, .iptNetFlow) == [200, 70, 71])
  }

  @Test("by the RFCs there is no next hop that nobody knows, and a VLAN once")
  func rfc() {
    #expect(
      ids(Self.everything, .ipfix, .rfc)
        == [8, 12, 60, 7, 11, 6, 10, 14, 2, 1, 152, 153, 4, 5, 136, 243, 244, 256, 61, 302, 225, 226, 227, 228, 371, 4])
    #expect(!FieldProfile.rfc.suits(.netFlow9) && FieldProfile.rfc.suits(.ipfix))
    #expect(FieldProfile.allCases.filter { !$0.suits(.netFlow9) } == [.rfc])
  }

  private func run(_ profile: FieldProfile, sampling: Sampling? = nil, codes: NATEventCodes = .rfc8158) -> EncoderRun {
    EncoderRun(.ipfix, sampling: sampling, natEventCodes: codes) { $0.profile = profile }
  }

  @Test("by the RFCs events have the numbers of RFC 8158, whatever the others get")
  func natEventNumbers() {
    func last(_ profile: FieldProfile) -> UInt8? {
      let run = run(profile, codes: .legacy)
      run.append(events: [Sample.sourceTranslated])
      run.flush()
      return run.messages.last?.last
    }
    #expect(last(.rfc) == 4)
    #expect(last(.generic) == 1)
  }

  @Test("by the RFCs options have no deprecated element, what they describe is their scope, and the mark is described")
  func options() {
    let run = run(.rfc, sampling: Sampling(.packets, interval: 10))
    run.sendTemplates()
    let sets = run.messages.flatMap { WireMessage($0).sets }
    // Scope count and the numbers, an enterprise's bit apart.
    let templates = sets.map { set in
      (0..<set.body.number(2, 2)).map { set.body.number(6 + 4 * $0, 2) }
    }
    #expect(
      templates == [
        [149, 160, 300], [149, 41, 42, 40, 163], [149, 164, 152, 153], [144, 166, 167, 168, 152, 153], [10, 82, 83],
        [346, 303, 339, 344, 345, 341], [302, 304, 305, 306], [302, 318, 319, 152, 153],
      ])
    #expect(sets.map { $0.body.number(4, 2) } == [1, 1, 1, 1, 1, 2, 1, 1])
    run.forgetMessages()
    run.append(.enterpriseElement, [ExporterOptions()])
    let name = "6e65746669 6c7465724d61726b" + String(repeating: "00", count: 19)
    #expect(run.messages.first.map { Array($0.dropFirst(20)) } == octets("0000537d 0004 03 00 0000" + name))
  }

  @Test("the list of fields is the profile's")
  func list() {
    func marks(_ profile: FieldProfile, _ id: UInt16) -> [Bool]? {
      FlowFields.list(of: profile).first { $0.id == id && $0.enterprise == nil }.map {
        [$0.isInIPFIX, $0.isInNetFlow9]
      }
    }
    #expect(marks(.generic, 58) == [true, true])
    #expect(marks(.iptNetFlow, 58) == [false, true])
    #expect(marks(.rfc, 58) == nil)
    #expect(marks(.rfc, 230) == [true, false])
    #expect(marks(.iptNetFlow, 32) == [true, false])
    #expect(FlowFields.list(of: .logstash).allSatisfy { $0.enterprise == nil })
  }
}
