// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Adds up what IPFIX messages say (RFC 7011): records of flows, their packets and octets.
///
/// Decodes by the templates that come, as a collector does. Safe against any bytes: every index is checked.
struct IPFIXCounter {
  private struct Template {
    var length = 0
    /// Where the counters stand in a record, and how long they are.
    var packets: Range<Int>?
    var octets: Range<Int>?
    var isOptions = false
  }

  private struct TemplateName: Hashable {
    var domain: UInt32
    var id: Int
  }

  private var templates: [TemplateName: Template] = [:]
  private(set) var totals = FlowTotals()
  /// Sets whose template never came or that are not as they should be.
  private(set) var undecoded = 0

  /// Counts the message that fills the first `length` octets.
  mutating func add(_ message: [UInt8], length: Int) {
    let end = min(length, message.count)
    guard end >= 16, Self.number(message, 0..<2) == 10, Int(Self.number(message, 2..<4)) == end else {
      undecoded += 1
      return
    }
    let domain = UInt32(truncatingIfNeeded: Self.number(message, 12..<16))
    var offset = 16
    while offset + 4 <= end {
      let id = Int(Self.number(message, offset..<offset + 2))
      let setEnd = offset + Int(Self.number(message, offset + 2..<offset + 4))
      guard setEnd >= offset + 4, setEnd <= end else {
        undecoded += 1
        return
      }
      switch id {
      case 2: addTemplates(message, offset + 4..<setEnd, domain, isOptions: false)
      case 3: addTemplates(message, offset + 4..<setEnd, domain, isOptions: true)
      default: addRecords(message, offset + 4..<setEnd, templates[TemplateName(domain: domain, id: id)])
      }
      offset = setEnd
    }
  }

  /// Section 3.4.1: id (2), field count (2); options: scope field count (2). Then number and length of each field, and
  /// four octets more where the number's first bit says that an enterprise gave it.
  private mutating func addTemplates(_ message: [UInt8], _ set: Range<Int>, _ domain: UInt32, isOptions: Bool) {
    var offset = set.lowerBound
    while offset + (isOptions ? 6 : 4) <= set.upperBound {
      let name = TemplateName(domain: domain, id: Int(Self.number(message, offset..<offset + 2)))
      let fields = Int(Self.number(message, offset + 2..<offset + 4))
      offset += isOptions ? 6 : 4
      var template = Template(isOptions: isOptions)
      for _ in 0..<fields {
        guard offset + 4 <= set.upperBound else {
          undecoded += 1
          return
        }
        let element = Self.number(message, offset..<offset + 2)
        let length = Int(Self.number(message, offset + 2..<offset + 4))
        let value = template.length..<template.length + length
        switch element {
        case 1: template.octets = value  // octetDeltaCount
        case 2: template.packets = value  // packetDeltaCount
        default: break
        }
        template.length += length
        offset += element & 0x8000 == 0 ? 4 : 8
      }
      templates[name] = template
    }
  }

  private mutating func addRecords(_ message: [UInt8], _ set: Range<Int>, _ template: Template?) {
    guard let template, template.length > 0 else {
      undecoded += 1
      return
    }
    if template.isOptions { return }
    guard let packets = template.packets, let octets = template.octets else {
      undecoded += 1
      return
    }
    var start = set.lowerBound
    while start + template.length <= set.upperBound {
      totals.flows += 1
      totals.packets += Self.number(message, start + packets.lowerBound..<start + packets.upperBound)
      totals.octets += Self.number(message, start + octets.lowerBound..<start + octets.upperBound)
      start += template.length
    }
  }

  @inline(__always)
  private static func number(_ message: [UInt8], _ range: Range<Int>) -> UInt64 {
    var value: UInt64 = 0
    for place in range { value = value << 8 | UInt64(message[place]) }
    return value
  }
}
