// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("The largest message")
struct MessageLimitTests {
  private static let limits = [512, 513, 576, 777, 1000, 1231, 1232, 1400, 1419, 1420]

  @Test("no message of IPFIX is longer than the limit", arguments: limits)
  func ipfix(limit: Int) { check(.ipfix, limit) }

  @Test("no message of v9 is longer than the limit, its padding included", arguments: limits)
  func netFlow9(limit: Int) { check(.netFlow9, limit) }

  private func check(_ version: ExportProtocol, _ limit: Int) {
    let run = EncoderRun(version, limit: limit)
    run.sendTemplates()
    run.append(.interface, Array(repeating: ExporterOptions(), count: 64))
    for record in Sample.everyLikelyShape { run.append(Array(repeating: record, count: 30)) }
    run.append(Sample.everyLikelyShape)
    run.flush()
    run.sendTemplates()
    let collector = run.collector
    #expect(collector.longest <= limit)
    #expect(collector.problems == [])
    #expect(collector.flows == 3348)
    #expect(collector.options == 64)
  }

  @Test("full messages hold as many records as fit", arguments: [(512, 8), (1420, 22)])
  func filled(limit: Int, records: Int) {
    // 16 octets of header, 4 of the set's, 61 of a record.
    let run = EncoderRun(.ipfix, limit: limit)
    run.append(Array(repeating: Sample.tcp, count: 100))
    let lengths = Set(run.messagesAfterDrain.map(\.count))
    #expect(lengths == [20 + 61 * records])
  }

  @Test(
    "a limit that shrinks holds for every message behind the flush",
    arguments: [ExportProtocol.ipfix, .netFlow9, .netFlow5])
  func shrinks(version: ExportProtocol) {
    let run = EncoderRun(version)
    run.sendTemplates()
    run.append(Array(repeating: Sample.tcp, count: 16))
    run.flush()
    run.forgetMessages()
    run.encoder.messageLimit = 512
    run.append(Array(repeating: Sample.tcp, count: 16))
    run.flush()
    #expect(run.messages.map(\.count).max()! <= 512)
    #expect(run.carried.flows == 32)
  }

  @Test("a limit that grows is made use of")
  func grows() {
    let run = EncoderRun(.ipfix, limit: 512)
    run.append(Array(repeating: Sample.tcp, count: 3))
    run.encoder.messageLimit = 1420
    run.append(Array(repeating: Sample.tcp, count: 16))
    run.flush()
    #expect(run.messages.map(\.count) == [20 + 61 * 19])
  }

  @Test(
    "a v5 message holds as many records as the limit lets it",
    arguments: [(512, 10), (1420, 29), (1464, 30), (1472, 30)])
  func netFlow5(limit: Int, records: Int) {
    let run = EncoderRun(.netFlow5, limit: limit)
    run.append(Array(repeating: Sample.tcp, count: 100))
    #expect(Set(run.messagesAfterDrain.map(\.count)) == [24 + 48 * records])
  }
}

extension EncoderRun {
  /// The messages so far, without those that a flush would bring.
  fileprivate var messagesAfterDrain: [[UInt8]] {
    drain()
    return messages
  }
}
