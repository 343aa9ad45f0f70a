// SPDX-License-Identifier: Apache-2.0

/// A message of IPFIX or NetFlow v9 taken apart by the rules of the RFCs, without the code under test.
struct WireMessage {
  struct Set {
    var id: Int
    var body: [UInt8]
  }

  let octets: [UInt8]
  var sets: [Set] = []
  /// Whether the sets' lengths lead exactly to the message's end.
  var isWellFormed = false

  init(_ octets: [UInt8]) {
    self.octets = octets
    var offset = version == 10 ? 16 : 20
    while offset < octets.count {
      guard offset + 4 <= octets.count else { break }
      let (id, length) = (octets.number(offset, 2), octets.number(offset + 2, 2))
      guard length > 4, offset + length <= octets.count else { break }
      sets.append(Set(id: id, body: Array(octets[offset + 4..<offset + length])))
      offset += length
    }
    isWellFormed = offset == octets.count
  }

  var version: Int { octets.number(0, 2) }
  /// The second field: IPFIX's length, v9's count.
  var lengthOrCount: Int { octets.number(2, 2) }
  var sysUpTime: Int { octets.number(4, 4) }
  var seconds: Int { octets.number(version == 10 ? 4 : 8, 4) }
  var sequence: Int { octets.number(version == 10 ? 8 : 12, 4) }
  var domain: Int { octets.number(version == 10 ? 12 : 16, 4) }

  var isTemplates: Bool { sets.contains { $0.id < 256 } }
  var dataSets: [Set] { sets.filter { $0.id >= 256 } }
  var templateIDs: [Int] { sets.filter { $0.id < 256 }.map { $0.body.number(0, 2) } }
}

extension [UInt8] {
  /// An unsigned number in network order.
  func number(_ offset: Int, _ length: Int) -> Int { self[offset..<offset + length].reduce(0) { $0 << 8 | Int($1) } }
}

/// A Collector that knows only what it has been sent, and notes what breaks the RFCs' rules.
struct WireCollector {
  struct Template: Equatable {
    /// Number, octets, enterprise number or 0.
    var fields: [[Int]]
    var isOptions: Bool
    var recordLength: Int { fields.reduce(0) { $0 + $1[1] } }

    func offset(of id: Int) -> Int? {
      guard let place = fields.firstIndex(where: { $0[0] == id && $0[2] == 0 }) else { return nil }
      return fields[..<place].reduce(0) { $0 + $1[1] }
    }
  }

  var templates: [Int: Template] = [:]
  var problems: [String] = []
  /// Data Records of Flows, of options, and what the Flows' elements 2 and 1 sum up to.
  var (flows, options, packets, octetTotal) = (0, 0, 0, 0)
  /// Octets of the longest message.
  var longest = 0
  private var sequence: Int?
  /// Template sets as they came, so that a repeated one is known at once.
  private var known: [Int: [UInt8]] = [:]

  init(_ messages: [[UInt8]] = []) { for message in messages { take(message) } }

  mutating func take(_ octets: [UInt8]) {
    let message = WireMessage(octets)
    longest = max(longest, octets.count)
    if !message.isWellFormed || message.sets.isEmpty { problems.append("malformed message") }
    if let sequence, message.sequence != sequence { problems.append("sequence \(message.sequence), not \(sequence)") }
    var (templateRecords, dataRecords) = (0, 0)
    for set in message.sets {
      if set.id < 256 {
        templateRecords += 1
        takeTemplate(set, version: message.version)
      } else {
        dataRecords += takeData(set, version: message.version)
      }
    }
    if message.version == 10 {
      if message.lengthOrCount != octets.count { problems.append("length in the header") }
      sequence = (message.sequence + dataRecords) & 0xffff_ffff
    } else {
      if message.lengthOrCount != templateRecords + dataRecords { problems.append("count in the header") }
      sequence = (message.sequence + 1) & 0xffff_ffff
    }
  }

  private mutating func takeTemplate(_ set: WireMessage.Set, version: Int) {
    let id = set.body.number(0, 2)
    if known[id] == set.body { return }
    if known[id] != nil { problems.append("template \(id) changed") }
    known[id] = set.body
    let isOptions = set.id == (version == 10 ? 3 : 1)
    if !isOptions, set.id != (version == 10 ? 2 : 0) { problems.append("set id \(set.id)") }
    let count =
      switch (isOptions, version) {
      case (true, 9): (set.body.number(2, 2) + set.body.number(4, 2)) / 4
      default: set.body.number(2, 2)
      }
    var (offset, fields) = (isOptions ? 6 : 4, [[Int]]())
    while fields.count < count, offset + 4 <= set.body.count {
      let (number, length) = (set.body.number(offset, 2), set.body.number(offset + 2, 2))
      let isEnterprises = version == 10 && number & 0x8000 != 0
      guard !isEnterprises || offset + 8 <= set.body.count else { break }
      fields.append([number & 0x7fff, length, isEnterprises ? set.body.number(offset + 4, 4) : 0])
      offset += isEnterprises ? 8 : 4
    }
    guard fields.count == count, offset == set.body.count else {
      return problems.append("template set of another length")
    }
    templates[id] = Template(fields: fields, isOptions: isOptions)
  }

  private mutating func takeData(_ set: WireMessage.Set, version: Int) -> Int {
    guard let template = templates[set.id] else {
      problems.append("data ahead of template \(set.id)")
      return 0
    }
    let count = set.body.count / template.recordLength
    let padding = set.body.suffix(set.body.count - count * template.recordLength)
    if version == 10 ? !padding.isEmpty : (set.body.count % 4 != 0 || padding.count > 3 || padding.contains { $0 != 0 })
    {
      problems.append("padding of \(padding.count)")
    }
    if template.isOptions {
      options += count
      return count
    }
    flows += count
    for record in 0..<count {
      let start = record * template.recordLength
      packets += template.offset(of: 2).map { set.body.number(start + $0, 8) } ?? 0
      octetTotal += template.offset(of: 1).map { set.body.number(start + $0, 8) } ?? 0
    }
    return count
  }
}
