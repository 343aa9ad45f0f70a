// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Reads what IPFIX messages carry, by the templates in them: of those that flowprobe wrote to a spool, perhaps an earlier
/// one. What they may be after a crash is anything.
struct MessageReader {
  private var layouts: [UInt16: Layout] = [:]

  private struct Layout {
    enum Kind {
      case flows, events, options
    }

    var kind = Kind.flows
    /// The shortest record, which is every record where no field is of variable length.
    var recordLength = 0
    var packets: Range<Int>?
    var octets: Range<Int>?
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
    var offset = 0
    while offset + QueuedMessage.headerLength <= file.count {
      let length = Self.number(file[...], offset + 2)
      guard Self.number(file[...], offset) == 10, length >= QueuedMessage.headerLength, offset + length <= file.count,
        let contents = contents(of: file[offset..<offset + length])
      else { break }
      messages.append(QueuedMessage(octets: Array(file[offset..<offset + length]), contents: contents))
      offset += length
    }
    return (messages, file.count - offset)
  }

  /// Nil where it is no message that flowprobe wrote whole.
  private mutating func contents(of message: ArraySlice<UInt8>) -> MessageBatch.Contents? {
    var contents = MessageBatch.Contents(role: .templates)
    var offset = message.startIndex + QueuedMessage.headerLength
    while offset < message.endIndex {
      guard offset + 4 <= message.endIndex else { return nil }
      let (id, length) = (Self.number(message, offset), Self.number(message, offset + 2))
      guard length > 4, offset + length <= message.endIndex else { return nil }
      let body = message[offset + 4..<offset + length]
      switch id {
      case 2, 3: guard learn(body, hasScope: id == 3) else { return nil }
      default:
        contents.role = .data
        guard let layout = layouts[UInt16(id)], layout.recordLength > 0 else { return nil }
        count(body, layout, &contents)
      }
      offset += length
    }
    return contents
  }

  /// RFC 7011 section 3.4: template id, field count, of options the scope field count, then field specifiers.
  private mutating func learn(_ set: ArraySlice<UInt8>, hasScope: Bool) -> Bool {
    var offset = set.startIndex
    while offset + (hasScope ? 6 : 4) <= set.endIndex {
      var layout = Layout(kind: hasScope ? .options : .flows)
      let (id, count) = (Self.number(set, offset), Self.number(set, offset + 2))
      offset += hasScope ? 6 : 4
      for _ in 0..<count {
        guard offset + 4 <= set.endIndex else { return false }
        let (element, length) = (Self.number(set, offset), Self.number(set, offset + 2))
        guard length != Element.variableLength else { return false }
        offset += element & 0x8000 == 0 ? 4 : 8
        let place = layout.recordLength..<layout.recordLength + length
        switch UInt16(element) {
        case Element.packetDeltaCount: layout.packets = place
        case Element.octetDeltaCount: layout.octets = place
        case Element.natEvent where !hasScope: layout.kind = .events
        default: break
        }
        layout.recordLength += length
      }
      layouts[UInt16(id)] = layout
    }
    return true
  }

  private func count(_ set: ArraySlice<UInt8>, _ layout: Layout, _ contents: inout MessageBatch.Contents) {
    let records = set.count / layout.recordLength
    contents.records += UInt32(records)
    switch layout.kind {
    case .options: break
    case .events: contents.events += UInt64(records)
    case .flows:
      contents.flows.flows += UInt64(records)
      for record in 0..<records {
        let start = set.startIndex + record * layout.recordLength
        contents.flows.packets &+= Self.sum(set, start, layout.packets)
        contents.flows.octets &+= Self.sum(set, start, layout.octets)
      }
    }
  }

  private static func number(_ octets: ArraySlice<UInt8>, _ offset: Int) -> Int {
    Int(octets[offset]) << 8 | Int(octets[offset + 1])
  }

  private static func sum(_ set: ArraySlice<UInt8>, _ start: Int, _ place: Range<Int>?) -> UInt64 {
    guard let place else { return 0 }
    return set[start + place.lowerBound..<start + place.upperBound].reduce(0) { $0 << 8 | UInt64($1) }
  }
}
