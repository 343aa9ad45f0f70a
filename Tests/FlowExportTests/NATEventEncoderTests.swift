// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("NAT events on the wire")
struct NATEventEncoderTests {
  private static let versions = [ExportProtocol.ipfix, .netFlow9]

  private func sent(
    _ events: [NATEvent], _ version: ExportProtocol, _ codes: NATEventCodes = .rfc8158
  ) -> [[UInt8]] {
    let run = EncoderRun(version, domain: 0x0102_0304, natEventCodes: codes)
    run.append(events: events)
    run.flush()
    return run.messages
  }

  private static let time = "0000018bcfe56efd"
  private static let source = time + "0a000002 c6336402 cb007101 c6336402 03e8 0035 07d0 0035 11"

  @Test("an IPFIX message of one event is, octet for octet, what RFC 7011 says")
  func wholeIPFIXMessage() {
    #expect(
      sent([Sample.sourceTranslated], .ipfix)
        == [octets("000a 0036 6553f103 00000000 01020304  0107 0026" + Self.source + "04")])
  }

  @Test("a v9 message of one event is, octet for octet, what RFC 3954 says")
  func wholeNetFlow9Message() {
    #expect(
      sent([Sample.sourceTranslated], .netFlow9)
        == [octets("0009 0001 000f51e0 6553f104 00000000 01020304  0107 0028" + Self.source + "04 0000")])
  }

  @Test("what the connection carried stands behind the event: octets, then packets, of both directions")
  func traffic() {
    #expect(
      sent([Sample.withTraffic(Sample.destinationTranslated)], .ipfix)
        == [
          octets(
            "000a 0056 6553f103 00000000 01020304  0107 0046" + Self.time
              + """
              c0000207 cb007101 c0000207 0a000003 03e8 1f90 03e8 0050 06 05
              0000000000000190 000000000000012c 0000000000000005 0000000000000004
              """)
        ])
  }

  @Test("an event of IPv6 has whole addresses, and the same numbers")
  func ipv6() {
    #expect(
      sent([Sample.ipv6Translated], .ipfix)
        == [
          octets(
            "000a 0066 6553f103 00000000 01020304  0107 0056" + Self.time
              + """
              20010db8000000000000000000000001 20010db8000000000000000000000002
              20010db8000000000000000000000009 20010db8000000000000000000000002
              03e8 01bb 07d0 01bb 11 04
              """)
        ])
  }

  @Test("of ICMP the identifiers stand for the source ports")
  func echo() {
    #expect(
      sent([Sample.echoTranslated], .ipfix)[0].suffix(34)
        == octets(Self.time + "0a000002 c6336402 cb007101 c6336402 004d 0000 1388 0000 01 05")[...])
  }

  @Test("ipt_NETFLOW's numbers stand for the events where they are asked for", arguments: versions)
  func legacy(version: ExportProtocol) {
    let messages = sent([Sample.sourceTranslated, Sample.destinationTranslated], version, .legacy)
    #expect(messages.count == 1)
    let start = version == .ipfix ? 20 : 24
    #expect([messages[0][start + 33], messages[0][start + 67]] == [1, 2])
  }

  @Test("an event's time is the wall clock's, wherever the table's clock is", arguments: versions)
  func shifted(version: ExportProtocol) {
    let run = EncoderRun(version)
    let instant = ExportInstant(now: Sample.instant.now, boot: Sample.instant.boot, shift: 60_000)
    run.append(events: [Sample.sourceTranslated], at: instant)
    run.flush(at: instant)
    let start = version == .ipfix ? 20 : 24
    #expect(run.messages[0].number(start, 8) == 1_700_000_001_789)
  }

  @Test("the template is announced ahead of the first event of its shape", arguments: versions)
  func template(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.sendTemplates()
    run.forgetMessages()
    run.append(events: [Sample.sourceTranslated, Sample.withTraffic(Sample.ipv6Translated)])
    run.drain()
    let sets = run.messages.flatMap { WireMessage($0).sets }
    #expect(sets.map(\.id) == (version == .ipfix ? [2, 2] : [0, 0]))
    #expect(
      sets.first?.body
        == octets(
          """
          0107 000b 0143 0008 0008 0004 000c 0004 00e1 0004 00e2 0004 0007 0002 000b 0002 00e3 0002 00e4 0002
          0004 0001 00e6 0001
          """))
    #expect(
      sets.last?.body
        == octets(
          """
          0108 000f 0143 0008 001b 0010 001c 0010 0119 0010 011a 0010 0007 0002 000b 0002 00e3 0002 00e4 0002
          0004 0001 00e6 0001 00e7 0008 00e8 0008 012a 0008 012b 0008
          """))
  }

  @Test("events are Data Records like Flows: they share messages, and sequence and count go on", arguments: versions)
  func withFlows(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.sendTemplates()
    run.append([Sample.tcp, Sample.tcp])
    run.append(events: [Sample.sourceTranslated, Sample.ipv6Translated, Sample.echoTranslated])
    run.flush()
    run.append(events: [Sample.destinationTranslated])
    run.flush()
    let collector = run.collector
    #expect(collector.problems == [])
    // Which the collector takes for Flows without counters.
    #expect(collector.flows == 6)
    #expect(collector.packets == 20)
    #expect(run.carried.flows == 2)
    #expect(run.carriedEvents == 4)
    let data = run.messages.map { WireMessage($0) }.filter { !$0.dataSets.isEmpty }
    #expect(data.map { $0.dataSets.map(\.id) } == [[263, 264, 265], [264]])
    #expect(data.map(\.sequence) == (version == .ipfix ? [0, 5] : [4, 5]))
    if version == .netFlow9 { #expect(data.map(\.lengthOrCount) == [5, 1]) }
  }

  @Test("events that do not fit share out over full messages", arguments: versions)
  func full(version: ExportProtocol) {
    let run = EncoderRun(version, refreshRate: 100)
    run.sendTemplates()
    run.forgetMessages()
    run.append(events: Array(repeating: Sample.sourceTranslated, count: 100))
    run.flush()
    let data = run.messages.map { WireMessage($0) }.filter { !$0.dataSets.isEmpty }
    #expect(data.map { $0.dataSets[0].body.count / 34 } == (version == .ipfix ? [41, 41, 18] : [40, 40, 20]))
    #expect(data.allSatisfy { $0.octets.count <= 1420 })
    #expect(run.carriedEvents == 100)
  }

  @Test("on the narrowest path no message is longer than it takes, and nothing is lost", arguments: versions)
  func narrow(version: ExportProtocol) {
    let run = EncoderRun(version, limit: 512, refreshRate: 1)
    run.sendTemplates()
    for _ in 0..<200 {
      run.append(events: [Sample.sourceTranslated, Sample.withTraffic(Sample.ipv6Translated), Sample.ipv6Translated])
      run.append([Sample.tcp])
    }
    run.flush()
    let collector = run.collector
    #expect(collector.problems == [])
    #expect(collector.longest <= 512)
    #expect(collector.flows == 800)
    #expect(run.carriedEvents == 600)
  }

  @Test("the templates of events come again with the others", arguments: versions)
  func refresh(version: ExportProtocol) {
    let run = EncoderRun(version, refreshRate: 3)
    run.sendTemplates()
    run.append(events: [Sample.sourceTranslated])
    run.flush()
    for _ in 0..<6 {
      run.append(events: [Sample.sourceTranslated])
      run.flush()
    }
    let messages = run.messages.map { WireMessage($0) }
    #expect(messages.map { $0.isTemplates ? "T" : "d" }.joined() == "TTdddTdddTd")
    #expect(messages.filter(\.isTemplates).dropFirst().allSatisfy { $0.templateIDs.contains(263) })
    #expect(run.collector.problems == [])
  }

  @Test("the public encoder takes events as it takes Flows", arguments: ExportProtocol.allCases)
  func publicEncoder(version: ExportProtocol) {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = version
    let encoder = FlowMessageEncoder(configuration)
    var messages: [[UInt8]] = []
    func take(_ message: RawSpan) {
      messages.append(message.byteOffsets.map { unsafe message.unsafeLoad(fromByteOffset: $0, as: UInt8.self) })
    }
    let events = Array(repeating: Sample.sourceTranslated, count: 5000) + [Sample.ipv6Translated]
    let rejected = encoder.encode(events, at: Sample.instant, take)
    encoder.flush(at: Sample.instant, take)
    if version == .netFlow5 {
      #expect(rejected == 1)
      #expect(messages.reduce(0) { $0 + $1.number(2, 2) } == 5000)
    } else {
      #expect(rejected == 0)
      let collector = WireCollector(messages)
      #expect(collector.problems == [])
      #expect(collector.flows == 5001)
    }
  }
}

/// The pseudo-records of ipt_NETFLOW: packets, octets and interfaces 0; both times that of the event; flags SYN and ACK
/// of one that begins, FIN and RST of one that ends.
@Suite("NAT events in NetFlow v5")
struct NATEventNetFlow5Tests {
  private func sent(_ events: [NATEvent]) -> [[UInt8]] {
    let run = EncoderRun(.netFlow5, domain: 0x0102_0304)
    run.append(events: events)
    run.flush()
    return run.messages
  }

  private static func header(_ records: String) -> String {
    "0005" + records + "000f4fec 6553f103 1dcd6500 00000000 00 04 0000"
  }
  private static let nothing = "0000 0000 00000000 00000000"
  private static let times = "000f493d 000f493d"

  @Test("of a translated source, next hop and source AS are what it becomes")
  func source() {
    #expect(
      sent([Sample.sourceTranslated])
        == [
          octets(
            Self.header("0001") + "0a000002 c6336402 cb007101" + Self.nothing + Self.times
              + "03e8 0035 00 12 11 00 07d0 0000 00 00 0000")
        ])
  }

  @Test("of a translated destination, next hop and destination AS are what it was")
  func destination() {
    #expect(
      sent([Sample.destinationTranslated])
        == [
          octets(
            Self.header("0001") + "c0000207 0a000003 cb007101" + Self.nothing + Self.times
              + "03e8 0050 00 05 06 00 0000 1f90 00 00 0000")
        ])
  }

  @Test("where both are translated there are two records in one message")
  func both() {
    #expect(
      sent([Sample.bothTranslated])
        == [
          octets(
            Self.header("0002")
              + "0a000002 0a000003 0a000001" + Self.nothing + Self.times + "03e8 0050 00 12 06 00 0bb8 0000 00 00 0000"
              + "0a000002 0a000003 cb007101" + Self.nothing + Self.times + "03e8 0050 00 12 06 00 0000 1f90 00 00 0000")
        ])
  }

  @Test("an echo of which only the identifier becomes another is one whose source is translated")
  func identifier() {
    var event = Sample.echoTranslated
    event.connection.translated.source = event.connection.original.source
    let message = sent([event])[0]
    #expect(message.number(2, 2) == 1)
    #expect([message.number(24 + 32, 2), message.number(24 + 40, 2)] == [77, 5000])
  }

  @Test("the two records of an event are never in two messages; the sequence counts records, the statistics events")
  func together() {
    let run = EncoderRun(.netFlow5)
    run.append(events: Array(repeating: Sample.sourceTranslated, count: 29))
    run.append(events: [Sample.bothTranslated])
    run.append(events: Array(repeating: Sample.bothTranslated, count: 15))
    run.flush()
    #expect(run.messages.map { $0.number(2, 2) } == [29, 30, 2])
    #expect(run.messages.map { $0.number(16, 4) } == [0, 29, 59])
    #expect(run.carriedEvents == 45)
    #expect(run.carried == FlowTotals())
  }

  @Test("events and Flows share messages")
  func withFlows() {
    let run = EncoderRun(.netFlow5)
    run.append([Sample.tcp])
    run.append(events: [Sample.bothTranslated])
    run.append([Sample.tcp])
    run.flush()
    #expect(run.messages.map { $0.number(2, 2) } == [4])
    #expect(run.carriedEvents == 1)
    #expect(run.carried.flows == 2)
  }

  @Test("IPv6 is left out and counted")
  func ipv6() {
    let run = EncoderRun(.netFlow5)
    run.append(events: [Sample.ipv6Translated, Sample.sourceTranslated, Sample.ipv6Translated])
    run.flush()
    #expect(run.rejectedEvents == 2)
    #expect(run.carriedEvents == 1)
  }

  @Test("an event's sysUpTime is that of the wall clock's time on the device's clock")
  func shifted() {
    let run = EncoderRun(.netFlow5)
    let instant = ExportInstant(now: Sample.instant.now, boot: Sample.instant.boot, shift: 1000)
    run.append(events: [Sample.sourceTranslated], at: instant)
    run.flush(at: instant)
    // A second less than 1 001 789.
    #expect(run.messages[0].number(24 + 24, 4) == 1_000_789)
    // By seconds and sysUpTime of the header the same moment of the wall clock.
    let header = run.messages[0]
    let boot = header.number(8, 4) * 1000 + header.number(12, 4) / 1_000_000 - header.number(4, 4)
    #expect(boot + 1_000_789 == 1_700_000_001_789)
  }

  @Test("thousands of events never overflow the batch")
  func many() {
    let run = EncoderRun(.netFlow5)
    run.append(events: Array(repeating: Sample.bothTranslated, count: 20_000))
    run.flush()
    #expect(run.carriedEvents == 20_000)
    #expect(run.messages.reduce(0) { $0 + $1.number(2, 2) } == 40_000)
  }
}
