// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Reads what IPFIX messages carry, by the templates in them: of those that flowprobe wrote to a spool, perhaps an earlier
/// one. What they may be after a crash is anything.
struct MessageReader {
  private var layouts: [UInt16: Layout] = [:]

  private struct Layout {
    enum Kind {
      case flows, events
      /// Nil where it is none of ours.
      case options(OptionsKind?)
    }

    var kind = Kind.flows
    /// The shortest record, which is every record where no field is of variable length.
    var recordLength = 0
    var packets: Range<Int>?
    var octets: Range<Int>?

    /// What a message with such records is; what tells of itself stands in messages of its own.
    var role: MessageBatch.Role {
      if case .options(let kind?) = kind, kind.isDescription { .description(kind) } else { .data }
    }
  }

  private enum Element {
    static let octetDeltaCount: UInt16 = 1
    static let packetDeltaCount: UInt16 = 2
    static let natEvent: UInt16 = 230
    static let variableLength = 0xffff
  }

  /// The messages in the octets of a file, in their order, up to the first that is none or has no end.
  ///
  /// - Returns: them, and how many octets behind them are no message.
  mutating func messages(in file: [UInt8]) -> (messages: [QueuedMessage], rest: Int) {
    var messages: [QueuedMessage] = []
    var start = 0
    let octets = unsafe file.span.bytes
    while let message = IPFIXMessage.range(in: octets, at: start), let contents = contents(of: message, octets) {
      messages.append(QueuedMessage(octets: Array(file[message]), contents: contents))
      start = message.upperBound
    }
    return (messages, file.count - start)
  }

  /// Nil where it is no message that flowprobe wrote whole.
  mutating func contents(of message: Range<Int>, _ octets: RawSpan) -> MessageBatch.Contents? {
    guard let sets = IPFIXMessage.sets(in: octets, message) else { return nil }
    var contents = MessageBatch.Contents(role: .templates)
    for set in sets {
      let id = octets.uint16(at: set.lowerBound)
      let body = octets.extracting(set.lowerBound + IPFIXMessage.setHeaderLength..<set.upperBound)
      switch id {
      case 2, 3: guard learn(body, hasScope: id == 3) else { return nil }
      default:
        guard let layout = layouts[id], layout.recordLength > 0 else { return nil }
        contents.role = layout.role
        Self.count(body, layout, &contents)
      }
    }
    return contents
  }

  /// RFC 7011 section 3.4: template id, field count, of options the scope field count, then field specifiers.
  private mutating func learn(_ set: RawSpan, hasScope: Bool) -> Bool {
    var offset = 0
    while offset + (hasScope ? 6 : 4) <= set.byteCount {
      var layout = Layout(kind: .flows)
      let (id, count) = (set.uint16(at: offset), set.uint16(at: offset + 2))
      let start = offset + 2
      offset += hasScope ? 6 : 4
      for _ in 0..<count {
        guard offset + 4 <= set.byteCount else { return false }
        let (element, length) = (set.uint16(at: offset), Int(set.uint16(at: offset + 2)))
        guard length != Element.variableLength else { return false }
        offset += element & 0x8000 == 0 ? 4 : 8
        let place = layout.recordLength..<layout.recordLength + length
        switch element {
        case Element.packetDeltaCount: layout.packets = place
        case Element.octetDeltaCount: layout.octets = place
        case Element.natEvent where !hasScope: layout.kind = .events
        default: break
        }
        layout.recordLength += length
      }
      // The last one may be an enterprise's, which is longer.
      guard offset <= set.byteCount else { return false }
      if hasScope {
        layout.kind = .options(OptionsKind(ofTemplate: (start..<offset).map { set.octet(at: $0) }))
      }
      layouts[id] = layout
    }
    return true
  }

  private static func count(_ set: RawSpan, _ layout: Layout, _ contents: inout MessageBatch.Contents) {
    let records = set.byteCount / layout.recordLength
    contents.records += UInt32(records)
    switch layout.kind {
    case .options: break
    case .events: contents.events += UInt64(records)
    case .flows:
      contents.flows.flows += UInt64(records)
      for record in 0..<records {
        let start = record * layout.recordLength
        contents.flows.packets &+= sum(set, start, layout.packets)
        contents.flows.octets &+= sum(set, start, layout.octets)
      }
    }
  }

  private static func sum(_ set: RawSpan, _ start: Int, _ place: Range<Int>?) -> UInt64 {
    guard let place else { return 0 }
    var sum: UInt64 = 0
    for offset in place { sum = sum << 8 | UInt64(set.octet(at: start + offset)) }
    return sum
  }
}
