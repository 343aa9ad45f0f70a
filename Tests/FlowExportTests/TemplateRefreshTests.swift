// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Templates again")
struct TemplateRefreshTests {
  private static let versions = [ExportProtocol.ipfix, .netFlow9]

  @Test("templates come again after as many messages with data as the refresh rate says", arguments: versions)
  func byCount(version: ExportProtocol) {
    let run = EncoderRun(version, refreshRate: 3)
    run.sendTemplates()
    run.append([Sample.tcp])
    run.flush()
    for _ in 0..<6 {
      run.append([Sample.tcp])
      run.flush()
    }
    // Options templates, the Flows' template, then data; all templates after every third message of data.
    let kinds = run.messages.map { WireMessage($0).isTemplates ? "T" : "d" }.joined()
    #expect(kinds == "TTdddTdddTd")
    #expect(run.collector.problems == [])
  }

  @Test("all active templates come again, also those of shapes that are not used now", arguments: versions)
  func allOfThem(version: ExportProtocol) {
    let run = EncoderRun(version, refreshRate: 2)
    run.sendTemplates()
    run.append([Sample.tcp, Sample.udp6, Sample.ipv4(.icmp)])
    run.flush()
    run.forgetMessages()
    run.append([Sample.tcp])
    run.flush()
    let refreshed = run.messages.map { WireMessage($0) }.filter(\.isTemplates).flatMap(\.templateIDs)
    #expect(refreshed.sorted() == Array(256...265))
  }

  @Test("templates are due when their time has passed since they were sent, by the instant's clock")
  func byTime() {
    let run = EncoderRun(.ipfix, timeoutRate: 2)
    #expect(run.encoder.templatesAreDue(at: Sample.instant))
    run.sendTemplates()
    #expect(!run.encoder.templatesAreDue(at: Sample.instant))
    #expect(!run.encoder.templatesAreDue(at: Sample.instant(after: 119_999)))
    #expect(run.encoder.templatesAreDue(at: Sample.instant(after: 120_000)))
    run.sendTemplates(at: Sample.instant(after: 120_000))
    #expect(!run.encoder.templatesAreDue(at: Sample.instant(after: 239_999)))
    #expect(run.encoder.templatesAreDue(at: Sample.instant(after: 240_000)))
  }

  @Test("the public encoder sends them again when their time has passed")
  func publicEncoderByTime() {
    var configuration = ExportConfiguration()
    configuration.timeoutRate = 1
    let encoder = FlowMessageEncoder(configuration)
    var kinds = ""
    func note(_ message: RawSpan) {
      let setID = unsafe message.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt16.self).bigEndian
      kinds += setID < 256 ? "T" : "d"
    }
    for seconds in [0, 30, 59, 60, 90] as [Int64] {
      let instant = Sample.instant(after: seconds * 1000)
      withBuffer([Sample.tcp]) { _ = encoder.encode($0, at: instant, note) }
      encoder.flush(at: instant, note)
    }
    #expect(kinds == "TTdddTdd")
  }

  @Test("a refresh restarts the count of messages")
  func restart() {
    let run = EncoderRun(.netFlow9, refreshRate: 3)
    run.sendTemplates()
    for _ in 0..<2 {
      run.append([Sample.tcp])
      run.flush()
    }
    run.sendTemplates()
    for _ in 0..<3 {
      run.append([Sample.tcp])
      run.flush()
    }
    #expect(run.messages.map { WireMessage($0).isTemplates ? "T" : "d" }.joined() == "TTddTdddT")
  }

  @Test("NetFlow v5 has no templates and none are due")
  func netFlow5() {
    let run = EncoderRun(.netFlow5, refreshRate: 1)
    run.sendTemplates()
    run.append(.sampling, [ExporterOptions()])
    #expect(run.messages.isEmpty)
    #expect(!run.encoder.templatesAreDue(at: Sample.instant))
  }
}
