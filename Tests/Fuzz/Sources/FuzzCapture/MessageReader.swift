// SPDX-License-Identifier: Apache-2.0
//
// Unsafe only in that octets become integers: every load is checked against the span's end.

internal import FlowExport
internal import FlowMeter
internal import FuzzChecks

/// Reads messages of NetFlow v5, v9 and IPFIX as strictly as a collector may, and traps where one breaks the rules.
final class MessageReader {
  /// What the Data Records of Flows counted.
  private(set) var flows = FlowTotals()
  private let version: ExportProtocol
  private var templates: [UInt16: Layout] = [:]
  private var messages: UInt32 = 0
  private var dataRecords: UInt32 = 0

  /// What a template says of its records.
  private struct Layout {
    var length = 0
    var packets: Int?
    var octets: Int?
  }

  /// An Ethernet frame of 1500 octets less the IPv4 and UDP headers.
  private static let longestMessage = 1472
  private static let packetDeltaCount: UInt16 = 2
  private static let octetDeltaCount: UInt16 = 1

  init(_ version: ExportProtocol) { self.version = version }

  func read(_ message: RawSpan) {
    require(message.byteCount <= Self.longestMessage, "a message too long")
    require(message.uint16(at: 0) == version.rawValue, "a wrong version")
    switch version {
    case .ipfix:
      require(Int(message.uint16(at: 2)) == message.byteCount, "a wrong length of the message")
      // RFC 7011 section 3.1: Data Records before this message.
      require(message.uint32(at: 8) == dataRecords, "a wrong sequence number")
      _ = readSets(message, from: 16)
    case .netFlow9:
      // RFC 3954 section 5.1: messages before this one.
      require(message.uint32(at: 12) == messages, "a wrong sequence number")
      require(readSets(message, from: 20) == Int(message.uint16(at: 2)), "a wrong count of records")
    case .netFlow5: readNetFlow5(message)
    }
    messages &+= 1
  }

  private func readNetFlow5(_ message: RawSpan) {
    let count = Int(message.uint16(at: 2))
    require((1...30).contains(count), "a count beyond NetFlow v5")
    require(message.byteCount == 24 + count * 48, "a wrong length of the message")
    require(message.uint32(at: 16) == dataRecords, "a wrong sequence number")
    dataRecords &+= UInt32(count)
    for record in 0..<count {
      let start = 24 + record * 48
      flows.add(
        FlowTotals(
          flows: 1, packets: UInt64(message.uint32(at: start + 16)), octets: UInt64(message.uint32(at: start + 20))))
    }
  }

  /// Reads the sets until the end, which they must meet; returns how many records they hold.
  private func readSets(_ message: RawSpan, from start: Int) -> Int {
    let templateSet: UInt16 = version == .ipfix ? 2 : 0
    var (offset, records) = (start, 0)
    while offset < message.byteCount {
      let (id, length) = (message.uint16(at: offset), Int(message.uint16(at: offset + 2)))
      require(length > 4 && offset + length <= message.byteCount, "a wrong length of a set")
      // RFC 3954 section 5.3 asks it of Data FlowSets.
      require(version == .ipfix || id < 256 || length % 4 == 0, "a FlowSet that ends on an odd octet")
      let body = (start: offset + 4, end: offset + length)
      switch id {
      case templateSet: records += readTemplates(message, body.start, body.end)
      case templateSet + 1: records += readOptionsTemplates(message, body.start, body.end)
      default: records += readData(message, id, body.start, body.end)
      }
      offset += length
    }
    return records
  }

  private func readTemplates(_ message: RawSpan, _ start: Int, _ end: Int) -> Int {
    var (offset, count) = (start, 0)
    while end - offset >= 4 {
      let (id, fields) = (message.uint16(at: offset), Int(message.uint16(at: offset + 2)))
      require(id >= 256 && fields > 0 && offset + 4 + fields * 4 <= end, "a broken template")
      define(id, layout(message, at: offset + 4, fields: fields))
      offset += 4 + fields * 4
      count += 1
    }
    require(offset == end, "octets behind the templates")
    return count
  }

  private func readOptionsTemplates(_ message: RawSpan, _ start: Int, _ end: Int) -> Int {
    // RFC 7011 section 3.4.2.2: fields, scope fields among them; RFC 3954 section 6.1: octets of either kind.
    let (first, second) = (Int(message.uint16(at: start + 2)), Int(message.uint16(at: start + 4)))
    let fields = version == .ipfix ? first : (first + second) / 4
    require(start + 6 + fields * 4 <= end && end - start - 6 - fields * 4 < 4, "a broken options template")
    define(message.uint16(at: start), layout(message, at: start + 6, fields: fields))
    return 1
  }

  private func layout(_ message: RawSpan, at start: Int, fields: Int) -> Layout {
    var layout = Layout()
    for field in 0..<fields {
      let (id, length) = (message.uint16(at: start + field * 4), Int(message.uint16(at: start + field * 4 + 2)))
      require((1...64).contains(length), "a field of no fixed length")
      if id == Self.packetDeltaCount { layout.packets = layout.length }
      if id == Self.octetDeltaCount { layout.octets = layout.length }
      layout.length += length
    }
    return layout
  }

  private func define(_ id: UInt16, _ layout: Layout) {
    let known = templates.updateValue(layout, forKey: id)
    require(known == nil || known?.length == layout.length, "a template that changes")
  }

  private func readData(_ message: RawSpan, _ id: UInt16, _ start: Int, _ end: Int) -> Int {
    guard let layout = templates[id] else { fatalError("data before their template") }
    let count = (end - start) / layout.length
    require(count > 0 && end - start - count * layout.length < 4, "data that do not fill their set")
    dataRecords &+= UInt32(count)
    guard let packets = layout.packets, let octets = layout.octets else { return count }
    for record in 0..<count {
      let place = start + record * layout.length
      flows.add(
        FlowTotals(
          flows: 1, packets: message.uint64(at: place + packets), octets: message.uint64(at: place + octets)))
    }
    return count
  }
}

extension RawSpan {
  fileprivate func uint16(at offset: Int) -> UInt16 {
    unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  fileprivate func uint32(at offset: Int) -> UInt32 {
    unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  fileprivate func uint64(at offset: Int) -> UInt64 {
    unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
