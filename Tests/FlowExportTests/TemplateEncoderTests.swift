// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Messages of IPFIX and NetFlow v9")
struct TemplateEncoderTests {
  private static let versions = [ExportProtocol.ipfix, .netFlow9]

  @Test("an IPFIX message of one TCP Flow is, octet for octet, what RFC 7011 says")
  func wholeIPFIXMessage() {
    let run = EncoderRun(.ipfix, domain: 0x0102_0304)
    run.append([Sample.tcp])
    run.flush()
    #expect(
      run.messages == [
        octets(
          """
          000a 0051 6553f103 00000000 01020304
          0107 0041
          c0000201 c6336402 00000000 04 c000 01bb 1b 00000002 00000003
          000000000000000a 0000000000001388 0000018bcfe5687b 0000018bcfe57198 06 10 03
          """)
      ])
  }

  @Test("a v9 message of one TCP Flow is, octet for octet, what RFC 3954 says")
  func wholeNetFlow9Message() {
    let run = EncoderRun(.netFlow9, domain: 0x0102_0304)
    run.append([Sample.tcp])
    run.flush()
    #expect(
      run.messages == [
        octets(
          """
          0009 0001 000f51e0 6553f104 00000000 01020304
          0107 0038
          c0000201 c6336402 00000000 04 c000 01bb 1b 00000002 00000003
          000000000000000a 0000000000001388 000f42bb 000f4bd8 06 10
          """)
      ])
  }

  @Test("a set of 57 octets is padded to 60 in v9, and left as it is in IPFIX")
  func padding() {
    let echo = Sample.ipv4(.icmp) { $0.key.destinationPort = 0x0800 }
    let netFlow9 = EncoderRun(.netFlow9)
    netFlow9.append([echo])
    netFlow9.flush()
    #expect(netFlow9.messages[0].count == 20 + 60)
    #expect(netFlow9.messages[0].number(20, 4) == 0x0107_003c)
    #expect(netFlow9.messages[0].suffix(5) == [0x01, 0x00, 0x00, 0x00, 0x00])
    let odd = Sample.ipv4(.hip)
    let ipfix = EncoderRun(.ipfix)
    ipfix.append([odd])
    ipfix.flush()
    #expect(ipfix.messages[0].count == 16 + 4 + 56)
    ipfix.append([Sample.ipv4(.igmp)])
    ipfix.flush()
    #expect(ipfix.messages[1].count == 16 + 4 + 57)
    #expect(ipfix.messages[1].number(18, 2) == 61)
  }

  @Test(
    "v9's seconds and sysUpTime name one moment, and no Flow ends after it",
    arguments: [0, 1, 499, 500, 999] as [Int64])
  func netFlow9Clock(after: Int64) {
    let run = EncoderRun(.netFlow9)
    let instant = Sample.instant(after: after)
    var record = Sample.tcp
    record.end = instant.now
    run.append([record], at: instant)
    run.flush(at: instant)
    let message = WireMessage(run.messages[0])
    #expect(message.seconds * 1000 - message.sysUpTime == 1_699_999_000_000)
    #expect(Int(instant.upTime(record.end)) <= message.sysUpTime)
    #expect(message.sysUpTime - Int(instant.upTime(record.end)) < 1000)
  }

  @Test("export times are the wall clock's where the table's clock is behind it")
  func shiftedClock() {
    let shifted = ExportInstant(now: Sample.instant.now, boot: Sample.instant.boot, shift: 60_000)
    let ipfix = EncoderRun(.ipfix)
    ipfix.append([Sample.tcp], at: shifted)
    ipfix.flush(at: shifted)
    #expect(WireMessage(ipfix.messages[0]).seconds == 1_700_000_063)
    let netFlow9 = EncoderRun(.netFlow9)
    netFlow9.append([Sample.tcp], at: shifted)
    netFlow9.flush(at: shifted)
    let message = WireMessage(netFlow9.messages[0])
    #expect(message.seconds == 1_700_000_064)
    #expect(message.sysUpTime == 1_004_000)
  }

  @Test("IPFIX's sequence counts the Data Records before the message, options' too, and templates not")
  func ipfixSequence() {
    let run = EncoderRun(.ipfix)
    run.sendTemplates()
    run.append(.sampling, [ExporterOptions()])
    run.append(.interface, [ExporterOptions(), ExporterOptions(), ExporterOptions()])
    run.append([Sample.tcp, Sample.tcp])
    run.flush()
    run.append([Sample.tcp])
    run.flush()
    let sequences = run.messages.map { WireMessage($0).sequence }
    // Options templates; sampling; interfaces; the TCP template; two Flows; one Flow.
    #expect(sequences == [0, 0, 1, 4, 4, 6])
    #expect(run.collector.problems == [])
  }

  @Test("v9's sequence counts the messages before, of any kind")
  func netFlow9Sequence() {
    let run = EncoderRun(.netFlow9)
    run.sendTemplates()
    run.append(.interface, [ExporterOptions(), ExporterOptions()])
    run.append([Sample.tcp, Sample.tcp])
    run.flush()
    run.append([Sample.tcp])
    run.flush()
    #expect(run.messages.map { WireMessage($0).sequence } == [0, 1, 2, 3, 4])
  }

  @Test("v9's count is that of templates, options templates and Data Records together")
  func netFlow9Count() {
    let run = EncoderRun(.netFlow9)
    run.append([Sample.tcp, Sample.udp6])
    run.append([Sample.tcp])
    run.sendTemplates()
    run.flush()
    // Two templates and seven options templates; then three Flows of two shapes.
    #expect(run.messages.map { WireMessage($0).lengthOrCount } == [9, 3])
  }

  @Test("a template is sent before the first record that uses it", arguments: versions)
  func templatesFirst(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.sendTemplates()
    run.append(Sample.everyShape)
    run.flush()
    #expect(run.collector.problems == [])
    #expect(run.collector.flows == 320)
  }

  @Test("the public encoder sends templates first too, without being asked", arguments: versions)
  func publicEncoder(version: ExportProtocol) {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = version
    let encoder = FlowMessageEncoder(configuration)
    var collector = WireCollector()
    func take(_ message: RawSpan) { collector.take(message.byteOffsets.map { message.unsafeOctet($0) }) }
    withBuffer(Sample.everyShape) { _ = encoder.encode($0, at: Sample.instant, take) }
    encoder.flush(at: Sample.instant, take)
    #expect(collector.problems == [])
    #expect(collector.flows == 320)
    #expect(collector.packets == 3200)
    #expect(collector.octetTotal == 1_600_000)
  }

  @Test("records of one shape share a template, whose id stays for good", arguments: versions)
  func stableIDs(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.sendTemplates()
    run.append([Sample.tcp, Sample.udp6, Sample.tcp])
    run.flush()
    run.append([Sample.udp6, Sample.tcp])
    run.sendTemplates()
    run.flush()
    let data = run.messages.map { WireMessage($0) }.flatMap(\.dataSets)
    #expect(data.map(\.id) == [263, 264, 263, 264])
    // The options' templates have the first ids.
    #expect(run.collector.templates.keys.sorted() == Array(256...264))
    #expect(run.collector.problems == [])
  }

  @Test("each options template stands in a set of its own, and templates are not padded", arguments: versions)
  func oneTemplateASet(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.append([Sample.tcp, Sample.udp6])
    run.sendTemplates()
    let sets = run.messages.flatMap { WireMessage($0).sets }.filter { $0.id < 256 }
    #expect(sets.filter { $0.id == (version == .ipfix ? 3 : 1) }.count == 7)
    #expect(sets.filter { $0.id == (version == .ipfix ? 2 : 0) }.count == 2)
    // The collector finds every set exactly as long as its one template.
    #expect(run.collector.problems == [])
  }

  @Test("nothing is sent where nothing is pending", arguments: versions)
  func empty(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.flush()
    run.append([])
    run.flush()
    #expect(run.messages.isEmpty)
  }
}

extension RawSpan {
  fileprivate func unsafeOctet(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
