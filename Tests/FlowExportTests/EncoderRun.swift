// SPDX-License-Identifier: Apache-2.0

import FlowMeter

@testable import FlowExport

/// Drives an encoder as an exporter does, and keeps the messages.
final class EncoderRun {
  let encoder: any MessageEncoder
  private(set) var messages: [[UInt8]] = []
  private(set) var rejected = FlowTotals()
  private(set) var rejectedEvents: UInt64 = 0
  /// What the batch says that the messages carry.
  private(set) var carried = FlowTotals()
  private(set) var carriedEvents: UInt64 = 0
  private var batch = MessageBatch()

  init(
    _ version: ExportProtocol, limit: Int? = nil, domain: UInt32 = 7, refreshRate: Int = 20, timeoutRate: Int = 30,
    sampling: Sampling? = nil, natEventCodes: NATEventCodes = .rfc8158,
    _ change: (inout ExportConfiguration) -> Void = { _ in }
  ) {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = version
    configuration.observationDomain = domain
    configuration.refreshRate = refreshRate
    configuration.timeoutRate = timeoutRate
    configuration.sampling = sampling
    configuration.natEventCodes = natEventCodes
    change(&configuration)
    encoder = configuration.makeEncoder()
    if let limit { encoder.messageLimit = limit }
  }

  var collector: WireCollector { WireCollector(messages) }

  func sendTemplates(at instant: ExportInstant = Sample.instant) {
    encoder.sendTemplates(at: instant, to: &batch)
    drain()
  }

  func append(_ records: [FlowRecord], at instant: ExportInstant = Sample.instant) {
    withBuffer(records) { buffer in
      var next = 0
      while next < buffer.count {
        if batch.isFull { drain() }
        encoder.append(buffer, from: &next, at: instant, to: &batch, rejected: &rejected)
      }
    }
  }

  func append(events: [NATEvent], at instant: ExportInstant = Sample.instant) {
    var next = 0
    while next < events.count {
      if batch.isFull { drain() }
      encoder.append(events, from: &next, at: instant, to: &batch, rejected: &rejectedEvents)
    }
  }

  func append(_ kind: OptionsKind, _ records: [ExporterOptions], at instant: ExportInstant = Sample.instant) {
    encoder.append(kind, records, at: instant, to: &batch)
    drain()
  }

  func flush(at instant: ExportInstant = Sample.instant) {
    while !encoder.flush(at: instant, to: &batch) { drain() }
    drain()
  }

  /// Takes the messages out of the batch, as a send does.
  func drain() {
    let octets = batch.octets.copy
    var offset = 0
    for length in batch.lengths {
      messages.append(Array(octets[offset..<offset + Int(length)]))
      offset += Int(length)
    }
    for contents in batch.contents {
      carried.add(contents.flows)
      carriedEvents += contents.events
    }
    batch.removeAll()
  }

  func forgetMessages() { messages.removeAll() }
}
