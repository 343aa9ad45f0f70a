// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Messages in a batch")
struct MessageBatchTests {
  @Test("all shapes with many records never overflow the batch", arguments: [ExportProtocol.ipfix, .netFlow9])
  func everyShape(version: ExportProtocol) {
    let run = EncoderRun(version, refreshRate: 1)
    run.sendTemplates()
    for _ in 0..<25 { run.append(Sample.everyShape) }
    run.flush()
    let collector = run.collector
    #expect(collector.problems == [])
    #expect(collector.flows == 8000)
    #expect(collector.templates.count == 247)
    #expect(run.carried == FlowTotals(flows: 8000, packets: 80_000, octets: 40_000_000))
  }

  @Test("the shapes that packets can bring about never overflow the batch on the narrowest path")
  func likelyShapesOnNarrowPath() {
    for version in [ExportProtocol.ipfix, .netFlow9] {
      let run = EncoderRun(version, limit: 512, refreshRate: 1)
      run.sendTemplates()
      for _ in 0..<10 { run.append(Sample.everyLikelyShape) }
      run.flush()
      let collector = run.collector
      #expect(collector.problems == [])
      #expect(collector.flows == 10 * 108)
      #expect(collector.longest <= 512)
    }
  }

  @Test("all shapes never overflow the batch on the narrowest path, nor trap")
  func everyShapeOnNarrowPath() async {
    await #expect(processExitsWith: .success) {
      trapAtOnce()
      let run = EncoderRun(.ipfix, limit: 512, refreshRate: 1)
      run.sendTemplates()
      for _ in 0..<10 { run.append(Sample.everyShape) }
      run.flush()
    }
  }

  @Test(
    "a refresh of every template that there can be is as long as it is, and the data waits for its end",
    arguments: [ExportProtocol.ipfix, .netFlow9])
  func everyDetailedShapeOnNarrowPath(version: ExportProtocol) {
    let run = EncoderRun(version, limit: 512, refreshRate: 1_000_000)
    run.sendTemplates()
    run.append(Sample.everyDetailedShape)
    run.flush()
    let (templates, options) = (30_720, 7)
    let collector = run.collector
    #expect(collector.templates.count == templates + options)
    #expect(collector.problems == [])
    #expect(collector.longest <= 512)
    #expect(run.carried.flows == 40_960)

    run.forgetMessages()
    run.sendTemplates()
    run.append([Sample.tcp])
    run.flush()
    let refreshed = run.collector
    // Alone it knows every template, and the data comes last.
    #expect(refreshed.templates.count == templates + options)
    #expect(refreshed.problems == [])
    #expect(refreshed.flows == 1)
    #expect(run.messages.firstIndex { !WireMessage($0).isTemplates } == run.messages.count - 1)
  }

  @Test("a refresh that began in a flush is gone on with after the batch was emptied, before the flush is through")
  func refreshInFlush() {
    let run = EncoderRun(.ipfix, limit: 512, refreshRate: 1)
    // Templates that fill more messages than a batch takes; no message of data before the flush.
    run.append(Array(Sample.everyDetailedShape[..<1000]))
    let shapes = Set(Sample.everyDetailedShape[..<1000].map { FlowShape($0) }).count
    run.flush()
    run.forgetMessages()
    run.append([Sample.tcp])
    run.flush()
    let kinds = run.messages.map { WireMessage($0).isTemplates ? "T" : "d" }
    #expect(kinds.filter { $0 == "d" }.count == 1)
    #expect(run.collector.templates.count == shapes + 8)
  }

  @Test("a flush that finds the batch full goes on after it was emptied, and loses and repeats nothing")
  func flushResumes() {
    let run = EncoderRun(.ipfix)
    run.sendTemplates()
    // Every shape pends a nearly full set of its own, so that no two share a message.
    for record in Sample.everyShape { run.append(Array(repeating: record, count: 9)) }
    run.flush()
    let collector = run.collector
    #expect(collector.problems == [])
    #expect(collector.flows == 2880)
    #expect(run.carried.flows == 2880)
  }

  @Test("each message's length and contents stand beside it")
  func contents() {
    var batch = MessageBatch()
    var message = MessageBuffer(capacity: 8)
    message.append(UInt16(0x0102))
    batch.append(message, FlowTotals(flows: 1, packets: 2, octets: 3))
    message.append(UInt16(0x0304))
    batch.append(message, FlowTotals())
    let (octets, lengths, flows) = (batch.octets.copy, batch.lengths, batch.contents.map(\.flows))
    #expect(octets == [1, 2, 1, 2, 3, 4])
    #expect(lengths == [2, 4])
    #expect(flows == [FlowTotals(flows: 1, packets: 2, octets: 3), FlowTotals()])
    batch.removeAll()
    let count = batch.count
    #expect(count == 0)
  }
}
