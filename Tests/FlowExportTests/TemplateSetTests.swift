// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Template Sets")
struct TemplateSetTests {
  private static let examplePEN: UInt32 = 32473  // RFC 5612

  @Test("an element of an enterprise is announced as in RFC 7011's example, section A.2.2")
  func enterprise() {
    let template = Template<FlowRecord>(
      id: 257,
      fields: [
        Field(8, "sourceIPv4Address", octets: \.key.source.ipv4),
        Field(12, "destinationIPv4Address", octets: \.key.destination.ipv4),
        Field(15, of: Self.examplePEN, "proprietary", \.flowLabel),
        Field(2, "packetDeltaCount") { UInt32(truncatingIfNeeded: $0.packets) },
        Field(1, "octetDeltaCount") { UInt32(truncatingIfNeeded: $0.octets) },
      ])
    #expect(
      IPFIXFormat().templateSet(template)
        == octets(
          """
          0002 0020  0101 0005
          0008 0004  000c 0004
          800f 0004  00007ed9
          0002 0004  0001 0004
          """))
  }

  @Test("the mark is netfilter's element 4, and v9 leaves it out")
  func mark() {
    let record = Sample.ipv4(.hip) { $0.detail.mark = 1 }
    func set(_ format: any MessageFormat) -> [UInt8] {
      format.templateSet(Template(id: 300, fields: FlowShape(record).fields(for: format.dialect)))
    }
    #expect(
      set(IPFIXFormat())
        == octets(
          """
          0002 0044  012c 000e
          0008 0004  000c 0004  000f 0004  003c 0001  000a 0004  000e 0004  0002 0008  0001 0008
          0098 0008  0099 0008  0004 0001  0005 0001  0088 0001
          8004 0004  0000537d
          """))
    #expect(
      set(NetFlow9Format())
        == octets(
          """
          0000 0038  012c 000c
          0008 0004  000c 0004  000f 0004  003c 0001  000a 0004  000e 0004  0002 0008  0001 0008
          0016 0004  0015 0004  0004 0001  0005 0001
          """))
  }

  @Test("an options template has its scope and what follows in the words of its format")
  func options() {
    let template = Template<ExporterOptions>(
      id: 256, fields: [Field(149, "scope", \.domain), Field(34, "samplingInterval", \.samplingInterval)],
      scopeCount: 1)
    #expect(IPFIXFormat().templateSet(template) == octets("0003 0012  0100 0002 0001  0095 0004  0022 0004"))
    #expect(NetFlow9Format().templateSet(template) == octets("0001 0012  0100 0004 0004  0095 0004  0022 0004"))
  }

  @Test("a refresh gives every set once, as many at a time as fit, and begins anew when asked to")
  func refresh() {
    var sets = TemplateSets()
    for octet in 1...5 as ClosedRange<UInt8> { sets.add(Array(repeating: octet, count: 4)) }
    #expect(!sets.isRefreshing)
    var message = MessageBuffer(capacity: 16)
    func next() -> [UInt8] {
      message.removeAll()
      let count = sets.append(to: &message, limit: 9)
      let octets = message.copy
      #expect(Set(octets).count == count)
      return octets
    }
    sets.beginRefresh()
    #expect(next() == [1, 1, 1, 1, 2, 2, 2, 2])
    #expect(sets.isRefreshing)
    #expect(next() == [3, 3, 3, 3, 4, 4, 4, 4])
    sets.beginRefresh()
    #expect(next() == [1, 1, 1, 1, 2, 2, 2, 2])
    #expect(next() == [3, 3, 3, 3, 4, 4, 4, 4])
    // One that comes meanwhile goes along.
    sets.add([6])
    #expect(next() == [5, 5, 5, 5, 6])
    #expect(!sets.isRefreshing)
    sets.add([7])
    #expect(!sets.isRefreshing)
  }
}
