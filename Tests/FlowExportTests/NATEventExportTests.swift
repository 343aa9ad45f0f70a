// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("Exporting NAT events")
struct NATEventExportTests {
  private func exporter(to destination: String, _ version: ExportProtocol = .ipfix) throws -> CollectorExporter {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = version
    configuration.exportRate = 0
    return CollectorExporter(
      to: ExportDestination(try CollectorAddress(destination), configuration), number: 0,
      context: { ExporterContext() }, report: { _ in })
  }

  private func pass(_ exporter: CollectorExporter, _ records: [FlowRecord], _ events: [NATEvent]) {
    exporter.begin(at: Sample.instant)
    withBuffer(records) { exporter.consume($0, at: Sample.instant) }
    exporter.consume(events, at: Sample.instant)
    exporter.flush(at: Sample.instant)
  }

  @Test(
    "the Collector receives the events that the statistics say were sent", arguments: [ExportProtocol.ipfix, .netFlow9])
  func received(version: ExportProtocol) throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", version)
    pass(exporter, [Sample.tcp], Array(repeating: Sample.sourceTranslated, count: 1000) + [Sample.ipv6Translated])
    let collector = WireCollector(receiver.receive(Int(exporter.statistics.messages)))
    #expect(collector.problems == [])
    #expect(collector.flows == 1002)
    let totals = exporter.statistics.natEvents
    #expect([totals.sent, totals.lost, totals.notRepresentable] == [1001, 0, 0])
    #expect(exporter.statistics.sent.flows == 1)
  }

  @Test("in NetFlow v5 events of IPv6 are counted as what it cannot carry")
  func netFlow5() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", .netFlow5)
    pass(exporter, [], [Sample.bothTranslated, Sample.ipv6Translated])
    #expect(receiver.receive()?.number(2, 2) == 2)
    let totals = exporter.statistics.natEvents
    #expect([totals.sent, totals.lost, totals.notRepresentable] == [1, 0, 1])
  }

  @Test("events whose message cannot be sent are lost, and counted as such", arguments: ExportProtocol.allCases)
  func lost(version: ExportProtocol) throws {
    // A label of 64 octets is longer than any name server knows.
    let exporter = try exporter(to: String(repeating: "x", count: 64) + ".invalid", version)
    for _ in 0..<3 {
      pass(exporter, [Sample.tcp], Array(repeating: Sample.sourceTranslated, count: 100) + [Sample.bothTranslated])
    }
    let totals = exporter.statistics.natEvents
    #expect([totals.sent, totals.lost, totals.notRepresentable] == [0, 303, 0])
    #expect(exporter.statistics.lost.flows == 3)
  }

  @Test("nobody listens: the events were sent all the same, as UDP has it")
  func nobodyListens() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    receiver.refuseOthers()
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)")
    for _ in 0..<20 { pass(exporter, [], [Sample.sourceTranslated]) }
    let totals = exporter.statistics.natEvents
    #expect(totals.sent + totals.lost == 20)
    #expect(totals.lost == 0)
  }
}

@Suite("An Exporting Process with translations")
struct ExportingProcessNATTests {
  /// What a consumer is told, in order.
  private final class Recorder: FlowRecordConsumer {
    var calls: [String] = []
    func begin(at instant: ExportInstant) { calls.append("begin") }
    func consume(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
      for i in 0..<records.count {
        calls.append("flow \(records[i].isTranslated ? records[i].postNATSource.text(.v4) : "as it is")")
      }
    }
    func consume(_ events: [NATEvent], at instant: ExportInstant) {
      calls += events.map { "\($0.kind) \($0.connection.id)" }
    }
    func flush(at instant: ExportInstant) { calls.append("flush") }
  }

  /// UDP from 10.0.0.2:1000 to 198.51.100.2:53.
  private static let packet = octets("4500001c 00000000 40110000 0a000002 c6336402 03e8 0035 0008 0000")

  private func table() throws -> FlowTable {
    let table = try FlowTable()
    var batch = PacketBatch()
    unsafe batch.append(
      Self.packet.span.bytes,
      CaptureMetadata(time: Sample.instant.now, wireLength: Self.packet.count, linkType: .raw))
    table.update(batch)
    return table
  }

  @Test("records are completed, and events come after the records of the same pass, to every consumer")
  func order() throws {
    let (translations, log) = (NATTable(), NATEventLog())
    translations.note(Sample.sourceTranslated.connection, at: Sample.instant.now)
    log.append([Sample.sourceTranslated, Sample.destinationTranslated])
    let recorders = [Recorder(), Recorder()]
    let process = ExportingProcess(
      table: try table(), consumers: recorders, translations: translations, natEvents: log)
    process.export(at: Sample.instant, everything: true)
    for recorder in recorders {
      #expect(recorder.calls == ["begin", "flow 203.0.113.1", "create 1", "delete 2", "flush"])
      recorder.calls = []
    }
    process.export(at: Sample.instant, flush: false)
    #expect(recorders[0].calls == ["begin"])
  }

  @Test("without translations records are left as they are, and without a log there are no events")
  func without() throws {
    let recorder = Recorder()
    ExportingProcess(table: try table(), consumers: [recorder]).export(at: Sample.instant, everything: true)
    #expect(recorder.calls == ["begin", "flow as it is", "flush"])
  }
}
