// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("What is told of sampling")
struct SamplingAnnouncementTests {
  private static func record(_ sampling: Sampling) -> ExporterOptions {
    var record = ExporterOptions()
    record.domain = 0x0102_0304
    record.started = Timestamp(milliseconds: 1_700_000_000_123)
    record.now = Timestamp(milliseconds: 1_700_000_002_456)
    record.describe(sampling)
    record.offered = FlowTotals(flows: 1000, packets: 5000, octets: 9)
    record.selected = FlowTotals(flows: 10, packets: 50, octets: 9)
    return record
  }

  /// The data records of a kind, behind message and set header.
  private func octets(of kind: OptionsKind, _ sampling: Sampling, _ version: ExportProtocol = .ipfix) -> [UInt8] {
    let run = EncoderRun(version, sampling: sampling)
    run.append(kind, [Self.record(sampling)])
    return Array(run.messages.first?.dropFirst(version == .ipfix ? 20 : 24) ?? [])
  }

  private static let deterministic = Sampling(.deterministicFlows, interval: 1000)
  private static let random = Sampling(.randomFlows, interval: 100)
  private static let hashed = Sampling(.hashedFlows, interval: 16_383)
  private static let packets = Sampling(.packets, interval: 1000)

  @Test("34 and 50 say one of how many, in four octets; 35 and 49 whether by rule or by chance; 48 is 1")
  func rates() {
    for (sampling, interval, mode) in [
      (Self.deterministic, "000003e8", "01"), (Self.packets, "000003e8", "01"), (Self.random, "00000064", "02"),
      (Self.hashed, "00003fff", "02"),
    ] {
      #expect(octets(of: .sampling, sampling) == FlowExportTests.octets("01020304" + interval + mode))
      #expect(octets(of: .sampler, sampling) == FlowExportTests.octets("01020304 01" + mode + interval))
      #expect(
        octets(of: .sampling, sampling, .netFlow9) == FlowExportTests.octets("01020304" + interval + mode + "000000"))
      #expect(
        octets(of: .sampler, sampling, .netFlow9) == FlowExportTests.octets("01020304 01" + mode + interval + "0000"))
    }
  }

  @Test("IPFIX tells of the selector: systematic count-based 1 and N - 1, of flows or packets, else random 1 out of N")
  func selectors() {
    #expect(
      octets(of: .countSelector, Self.deterministic)
        == FlowExportTests.octets("01020304 0000000000000001 0001 0000000000000001 00000000000003e7"))
    #expect(
      octets(of: .packetSelector, Self.packets)
        == FlowExportTests.octets("01020304 0000000000000001 0001 00000001 000003e7"))
    #expect(
      octets(of: .randomSelector, Self.random)
        == FlowExportTests.octets("01020304 0000000000000001 0003 00000001 00000064"))
    #expect(
      octets(of: .randomSelector, Self.hashed)
        == FlowExportTests.octets("01020304 0000000000000001 0003 00000001 00003fff"))
  }

  @Test("IPFIX tells what was offered and selected, in flows and packets; by hash in packets alone")
  func statistics() {
    let period = "0000018bcfe5687b 0000018bcfe57198"
    let packets = "0000000000001388 0000000000000032" + period
    #expect(octets(of: .packetSelection, Self.packets) == FlowExportTests.octets("0000000000000001" + packets))
    #expect(
      octets(of: .flowSelection, Self.random)
        == FlowExportTests.octets("0000000000000001 00000000000003e8 000000000000000a" + packets))
    #expect(octets(of: .packetSelection, Self.hashed) == FlowExportTests.octets("0000000000000001" + packets))
  }

  @Test(
    "their templates have the observation domain or, of the statistics, the selector as scope, and come behind those that there are without sampling"
  )
  func templates() {
    func templates(_ sampling: Sampling?) -> [[UInt8]] {
      let run = EncoderRun(.ipfix, sampling: sampling)
      run.sendTemplates()
      return WireMessage(run.messages[0]).sets.map(\.body)
    }
    let without = templates(nil)
    #expect(without.count == 7)
    let count = templates(Self.deterministic)
    #expect(Array(count.prefix(7)) == without)
    #expect(
      Array(count.dropFirst(7)) == [
        FlowExportTests.octets("0107 0005 0001 0095 0004 012e 0008 0186 0002 018c 0008 018d 0008"),
        FlowExportTests.octets("0108 0007 0001 012e 0008 018a 0008 018b 0008 013e 0008 013f 0008 0098 0008 0099 0008"),
      ])
    #expect(
      templates(Self.packets)[7]
        == FlowExportTests.octets("0107 0005 0001 0095 0004 012e 0008 0130 0002 0131 0004 0132 0004"))
    #expect(
      Array(templates(Self.hashed).dropFirst(7)) == [
        FlowExportTests.octets("0107 0005 0001 0095 0004 012e 0008 0186 0002 0135 0004 0136 0004"),
        FlowExportTests.octets("0108 0005 0001 012e 0008 013e 0008 013f 0008 0098 0008 0099 0008"),
      ])
  }

  @Test("v9 has no templates beside those that there are without sampling")
  func netFlow9Templates() {
    let run = EncoderRun(.netFlow9, sampling: Self.random)
    run.sendTemplates()
    #expect(WireMessage(run.messages[0]).sets.count == 7)
    run.forgetMessages()
    run.append(.randomSelector, [Self.record(Self.random)])
    run.append(.flowSelection, [Self.record(Self.random)])
    #expect(run.messages == [])
  }

  @Test("each flow record names its sampler: 48 in v9, 302 in IPFIX, behind the direction")
  func records() {
    func ids(_ record: FlowRecord, _ dialect: FieldDialect) -> [UInt16] {
      FlowShape(record).fields(for: dialect, isSampled: true).map(\.id)
    }
    #expect(ids(Sample.tcp, .ipfix) == [8, 12, 15, 60, 7, 11, 6, 10, 14, 2, 1, 152, 153, 4, 5, 136, 302])
    #expect(ids(Sample.tcp, .netFlow9) == [8, 12, 15, 60, 7, 11, 6, 10, 14, 2, 1, 22, 21, 4, 5, 48])
    var record = Sample.tcp
    (record.direction, record.isTranslated) = (.egress, true)
    #expect(ids(record, .netFlow9).suffix(6) == [61, 48, 225, 226, 227, 228])
    // The end of the record; in v9 its last three octets pad the set.
    for (version, end) in [
      (ExportProtocol.ipfix, "06 10 03 00 00 00 00 00 00 00 01"), (.netFlow9, "06 10 01 00 00 00"),
    ] {
      let run = EncoderRun(version, sampling: Self.random)
      run.sendTemplates()
      run.append([Sample.tcp])
      run.flush()
      #expect(run.collector.problems == [])
      let expected = FlowExportTests.octets(end)
      #expect(run.messages.last.map { Array($0.suffix(expected.count)) } == expected)
    }
  }

  @Test("v5's header has the mode in two bits and the interval in fourteen")
  func netFlow5() {
    for (sampling, expected) in [
      (nil, 0), (Self.deterministic, 0x43e8), (Self.random, 0x8064), (Self.hashed, 0xbfff),
      (Self.packets, 0x43e8),
    ] as [(Sampling?, Int)] {
      let run = EncoderRun(.netFlow5, sampling: sampling)
      run.append([Sample.tcp])
      run.flush()
      #expect(run.messages[0].number(22, 2) == expected)
    }
  }

  @Test("the selector is told of with the sampler, each five minutes, and what it took each minute")
  func rhythm() {
    func moment(_ seconds: Int64) -> Timestamp { Sample.instant.now.advanced(byMilliseconds: seconds * 1000) }
    var schedule = OptionsSchedule(Self.deterministic)
    #expect(
      schedule.takeDue(at: moment(0), ExporterOptions()) == [
        .countSelector, .sampling, .sampler, .system, .interface, .meteringStatistics, .flowSelection,
      ])
    #expect(schedule.takeDue(at: moment(60), ExporterOptions()) == [.meteringStatistics, .flowSelection])
    #expect(schedule.takeDue(at: moment(300), ExporterOptions()).prefix(2) == [.countSelector, .sampling])
    var hashed = OptionsSchedule(Self.hashed)
    let kinds = hashed.takeDue(at: moment(0), ExporterOptions())
    #expect((kinds.first, kinds.last) == (.randomSelector, .packetSelection))
  }
}
