// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: shows each message as a span of the batch that holds it, for the time of the call.

public import FlowMeter

/// Flow Records as messages of IPFIX, NetFlow v9 or v5, for who sends or stores them by other means than
/// ``CollectorExporter``.
///
/// Templates come before the records that need them and again by the configuration's refresh rules; the sequence
/// number goes on from message to message. Not thread-safe.
public final class FlowMessageEncoder {
  private let encoder: any MessageEncoder
  private var batch = MessageBatch()
  private var hasBegun = false

  /// An encoder whose sequence begins at 0 and that has sent no template.
  public init(_ configuration: ExportConfiguration) { encoder = configuration.makeEncoder() }

  /// Encodes records; those that do not fill a message wait.
  ///
  /// - Parameters:
  ///   - records: as they come out of the table.
  ///   - instant: the moment of the export, for the message headers.
  ///   - send: given each complete message, valid for the call.
  /// - Returns: what the protocol cannot carry: IPv6 in NetFlow v5.
  @discardableResult
  public func encode(
    _ records: borrowing FlowRecordBuffer, at instant: ExportInstant, _ send: (RawSpan) -> Void
  ) -> FlowTotals {
    begin(at: instant)
    var (next, rejected) = (0, FlowTotals())
    while next < records.count {
      if batch.isFull { empty(send) }
      encoder.append(records, from: &next, at: instant, to: &batch, rejected: &rejected)
    }
    empty(send)
    return rejected
  }

  /// Encodes NAT events; those that do not fill a message wait.
  ///
  /// - Returns: how many the protocol cannot carry: of IPv6 in NetFlow v5.
  @discardableResult
  public func encode(
    _ events: [NATEvent], at instant: ExportInstant, _ send: (RawSpan) -> Void
  ) -> UInt64 {
    begin(at: instant)
    var (next, rejected) = (0, UInt64(0))
    while next < events.count {
      if batch.isFull { empty(send) }
      encoder.append(events, from: &next, at: instant, to: &batch, rejected: &rejected)
    }
    empty(send)
    return rejected
  }

  /// Completes the messages that wait.
  public func flush(at instant: ExportInstant, _ send: (RawSpan) -> Void) {
    while !encoder.flush(at: instant, to: &batch) { empty(send) }
    empty(send)
  }

  private func begin(at instant: ExportInstant) {
    guard !hasBegun || encoder.templatesAreDue(at: instant) else { return }
    hasBegun = true
    encoder.sendTemplates(at: instant, to: &batch)
  }

  private func empty(_ send: (RawSpan) -> Void) {
    var offset = 0
    for length in batch.lengths {
      unsafe send(RawSpan(_unsafeStart: batch.octets.bytes + offset, byteCount: Int(length)))
      offset += Int(length)
    }
    batch.removeAll()
  }
}

extension ExportConfiguration {
  /// The encoder of the protocol.
  ///
  /// - Parameter repeatsTemplates: false where what was sent has come, or stays where it is: each template is sent once,
  ///   then.
  func makeEncoder(repeatsTemplates: Bool = true) -> any MessageEncoder {
    let templates = TemplateConfiguration(
      domain: observationDomain, refreshRate: repeatsTemplates ? refreshRate : .max,
      refreshInterval: repeatsTemplates ? Int64(timeoutRate) * 60_000 : .max,
      natEventCodes: natEventCodes, recordedLabels: recordedLabels, sampling: sampling, rules: profile.rules,
      hasOptions: records.contains(.options))
    return switch exportProtocol {
    case .netFlow5:
      NetFlow5Encoder(
        engineID: UInt8(truncatingIfNeeded: observationDomain), messageLimit: longestMessage, sampling: sampling)
    case .netFlow9: TemplateEncoder(NetFlow9Format(), templates, messageLimit: longestMessage)
    case .ipfix: TemplateEncoder(IPFIXFormat(), templates, messageLimit: longestMessage)
    }
  }
}
