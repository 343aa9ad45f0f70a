// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Adds up what messages of IPFIX (RFC 7011), NetFlow v9 (RFC 3954) and v5 say: records of flows, their packets and
/// octets.
///
/// Decodes by the templates that come, as a collector does. Safe against any bytes: every load is checked.
struct MessageCounter {
  /// What an extra look is taken at.
  struct Watch {
    /// Flows whose source address (IPv4) begins with these three octets, each by the fourth.
    var network: UInt64
    var totals = [FlowTotals](repeating: FlowTotals(), count: 256)
    /// Records of flows that left early for want of resources (flowEndReason 5), and the latest end of these,
    /// milliseconds since 1970.
    var earlyRecords: UInt64 = 0
    var lastEarlyEnd: UInt64 = 0
  }

  private var templates: [MessageTemplate.Name: MessageTemplate] = [:]
  private(set) var totals = FlowTotals()
  /// Messages and sets whose template never came or that are not as they should be.
  private(set) var undecoded = 0
  private(set) var watch: Watch?

  init(watching network: UInt64? = nil) { watch = network.map { Watch(network: $0) } }

  /// Counts a message.
  mutating func add(_ message: RawSpan) {
    guard message.byteCount >= 16 else {
      undecoded += 1
      return
    }
    switch message.int(at: 0, length: 2) {
    case 10 where message.int(at: 2, length: 2) == message.byteCount:
      addSets(message, from: 16, version: 10, domain: message.int(at: 12, length: 4))
    case 9 where message.byteCount >= 20:
      addSets(message, from: 20, version: 9, domain: message.int(at: 16, length: 4))
    case 5: addVersion5(message)
    default: undecoded += 1
    }
  }

  /// Header of 24 octets with the number of records at 2; records of 48, packets at 16 and octets at 20.
  private mutating func addVersion5(_ message: RawSpan) {
    let count = message.int(at: 2, length: 2)
    guard message.byteCount >= 24 + count * 48 else {
      undecoded += 1
      return
    }
    for record in 0..<count {
      totals.flows += 1
      totals.packets += message.number(at: 24 + record * 48 + 16, length: 4)
      totals.octets += message.number(at: 24 + record * 48 + 20, length: 4)
    }
  }

  private mutating func addSets(_ message: RawSpan, from start: Int, version: Int, domain: Int) {
    var offset = start
    while offset + 4 <= message.byteCount {
      let id = message.int(at: offset, length: 2)
      let end = offset + message.int(at: offset + 2, length: 2)
      guard end >= offset + 4, end <= message.byteCount else {
        undecoded += 1
        return
      }
      let name = MessageTemplate.Name(version: version, domain: domain, id: id)
      switch (version, id) {
      case (10, 2), (9, 0): addTemplates(message, offset + 4..<end, name, isOptions: false)
      case (10, 3), (9, 1): addTemplates(message, offset + 4..<end, name, isOptions: true)
      default: addRecords(message, offset + 4..<end, templates[name])
      }
      offset = end
    }
  }

  /// RFC 7011 section 3.4, RFC 3954 sections 5.2 and 6.1: id (2), field count (2); of options in IPFIX field count and
  /// scope field count, in v9 the octets of scope fields and of the others. Then number and length of each field, and
  /// in IPFIX four octets more where the number's first bit says that an enterprise gave it.
  private mutating func addTemplates(
    _ message: RawSpan, _ set: Range<Int>, _ setName: MessageTemplate.Name, isOptions: Bool
  ) {
    var offset = set.lowerBound
    let header = isOptions ? 6 : 4
    while offset + header <= set.upperBound {
      var name = setName
      name.id = message.int(at: offset, length: 2)
      // What is left is padding.
      guard name.id >= 256 else { return }
      var fields = message.int(at: offset + 2, length: 2)
      if isOptions, name.version == 9 { fields = fields / 4 + message.int(at: offset + 4, length: 2) / 4 }
      offset += header
      var template = MessageTemplate(isOptions: isOptions)
      for _ in 0..<fields {
        guard offset + 4 <= set.upperBound else {
          undecoded += 1
          return
        }
        let element = message.int(at: offset, length: 2)
        template.append(element: element, length: message.int(at: offset + 2, length: 2))
        offset += name.version == 10 && element & 0x8000 != 0 ? 8 : 4
      }
      templates[name] = template
    }
  }

  private mutating func addRecords(_ message: RawSpan, _ set: Range<Int>, _ template: MessageTemplate?) {
    guard let template, template.length > 0 else {
      undecoded += 1
      return
    }
    if template.isOptions { return }
    guard template.packets.length > 0, template.octets.length > 0 else {
      undecoded += 1
      return
    }
    var start = set.lowerBound
    while start + template.length <= set.upperBound {
      let packets = message.number(at: start + template.packets.offset, length: template.packets.length)
      let octets = message.number(at: start + template.octets.offset, length: template.octets.length)
      totals.flows += 1
      totals.packets += packets
      totals.octets += octets
      if watch != nil { look(message, start, template, packets, octets) }
      start += template.length
    }
  }

  private mutating func look(
    _ message: RawSpan, _ start: Int, _ template: MessageTemplate, _ packets: UInt64, _ octets: UInt64
  ) {
    let source = message.number(at: start + template.source.offset, length: template.source.length)
    if source >> 8 == watch!.network {
      watch!.totals[Int(source & 0xff)].add(FlowTotals(flows: 1, packets: packets, octets: octets))
    }
    guard message.number(at: start + template.endReason.offset, length: template.endReason.length) == 5 else { return }
    watch!.earlyRecords += 1
    let end = message.number(at: start + template.end.offset, length: template.end.length)
    watch!.lastEarlyEnd = max(watch!.lastEarlyEnd, end)
  }
}
