// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter

/// A part of a rule of nftables: NFTA_EXPR_NAME, and NFTA_EXPR_DATA of attributes that depend on it.
struct NFTablesExpression {
  private var name = ""
  private var data: Range<Int> = 0..<0
  private let whole: Range<Int>

  /// What it makes of a rule.
  enum Meaning: Equatable {
    case condition([UInt8])
    case varyingCondition
    case log(LogStatement)
    case jump(String)
    case verdict
    case jumpByMap
    case nothing
  }

  private(set) var meaning = Meaning.nothing

  init(_ range: Range<Int>, _ datagram: RawSpan) {
    whole = range
    datagram.forEachAttribute(in: range) { type, value in
      switch UInt32(type) {
      case NFTA_EXPR_NAME.rawValue: name = datagram.text(value)
      case NFTA_EXPR_DATA.rawValue: data = value
      default: break
      }
    }
    meaning = interpret(datagram)
  }

  private func interpret(_ datagram: RawSpan) -> Meaning {
    switch name {
    case "counter", "last", "notrack": .nothing
    case "log": log(datagram)
    case "immediate": immediate(datagram)
    case "target": target(datagram)
    case "match": match(datagram)
    case "limit", "quota", "numgen", "connlimit": .varyingCondition
    case "lookup" where jumpsByMap(datagram): .jumpByMap
    case "reject", "queue", "fwd", "synproxy": .verdict
    default: condition(datagram)
    }
  }

  private func condition(_ datagram: RawSpan) -> Meaning { .condition(whole.map { datagram.octet(at: $0) }) }

  /// NFTA_LOG_GROUP is there where the log goes to a group, and not to the system's.
  private func log(_ datagram: RawSpan) -> Meaning {
    var (group, statement) = (UInt16?.none, LogStatement(group: 0))
    datagram.forEachAttribute(in: data) { type, value in
      switch UInt32(type) {
      case NFTA_LOG_GROUP.rawValue: group = datagram.uint16(value)
      case NFTA_LOG_SNAPLEN.rawValue: statement.snapLength = Int(datagram.uint32(value))
      case NFTA_LOG_QTHRESHOLD.rawValue: statement.threshold = Int(datagram.uint16(value))
      default: break
      }
    }
    guard let group else { return .nothing }
    statement.group = group
    // The kernel takes 0 for none.
    if statement.threshold == 0 { statement.threshold = nil }
    return .log(statement)
  }

  /// A verdict, or a value for a register.
  private func immediate(_ datagram: RawSpan) -> Meaning {
    var meaning = Meaning.nothing
    datagram.forEachAttribute(in: data) { type, value in
      guard UInt32(type) == NFTA_IMMEDIATE_DATA.rawValue else { return }
      datagram.forEachAttribute(in: value) { type, value in
        guard UInt32(type) == NFTA_DATA_VERDICT.rawValue else { return }
        meaning = .verdict
        datagram.forEachAttribute(in: value) { type, value in
          if UInt32(type) == NFTA_VERDICT_CHAIN.rawValue { meaning = .jump(datagram.text(value)) }
        }
      }
    }
    return meaning
  }

  private func jumpsByMap(_ datagram: RawSpan) -> Bool {
    var result = false
    datagram.forEachAttribute(in: data) { type, value in
      if UInt32(type) == NFTA_LOOKUP_DREG.rawValue, datagram.uint32(value) == NFT_REG_VERDICT.rawValue { result = true }
    }
    return result
  }

  /// A target of xtables. NFLOG's (struct xt_nflog_info, struct ebt_nflog_info) is in the machine's order:
  ///
  ///     length 4, group 2, threshold 2, flags 2 (1: the length holds), padding 2, prefix
  private func target(_ datagram: RawSpan) -> Meaning {
    let (name, information) = extensionParts(datagram)
    guard name == "NFLOG" || name == "nflog", information.count >= 12 else { return .verdict }
    let start = information.lowerBound
    var statement = LogStatement(group: datagram.nativeUInt16(at: start + 4))
    let threshold = datagram.nativeUInt16(at: start + 6)
    if threshold > 0 { statement.threshold = Int(threshold) }
    if datagram.nativeUInt16(at: start + 8) & 1 != 0 { statement.snapLength = Int(datagram.nativeUInt32(at: start)) }
    return .log(statement)
  }

  private func match(_ datagram: RawSpan) -> Meaning {
    switch extensionParts(datagram).name {
    case "comment": .nothing
    case "limit", "statistic", "hashlimit", "quota", "recent", "connlimit": .varyingCondition
    default: condition(datagram)
    }
  }

  /// The name and the information of an extension of xtables: the numbers of both kinds' attributes are the same.
  private func extensionParts(_ datagram: RawSpan) -> (name: String, information: Range<Int>) {
    var (name, information) = ("", 0..<0)
    datagram.forEachAttribute(in: data) { type, value in
      switch UInt32(type) {
      case NFTA_TARGET_NAME.rawValue: name = datagram.text(value)
      case NFTA_TARGET_INFO.rawValue: information = value
      default: break
      }
    }
    return (name, information)
  }
}

extension PacketRule {
  mutating func take(_ expression: NFTablesExpression) {
    switch expression.meaning {
    case .condition(let octets): condition = condition.and(.octets(octets))
    case .varyingCondition: condition = .varying
    case .log(let statement): log = statement
    case .jump(let chain): jump = chain
    case .verdict: isFinal = true
    case .jumpByMap: jumpsByMap = true
    case .nothing: break
    }
  }
}

extension RawSpan {
  func octet(at offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }

  /// A number in network order; 0 where it is too short to be one.
  func uint16(_ range: Range<Int>) -> UInt16 {
    range.count < 2 ? 0 : UInt16(bigEndian: nativeUInt16(at: range.lowerBound))
  }
  func uint32(_ range: Range<Int>) -> UInt32 {
    range.count < 4 ? 0 : UInt32(bigEndian: nativeUInt32(at: range.lowerBound))
  }

  /// The texts of a list.
  func texts(_ range: Range<Int>) -> [String] {
    var texts: [String] = []
    forEachAttribute(in: range) { _, value in texts.append(text(value)) }
    return texts
  }

  func forEachAttribute(in range: Range<Int>, _ body: (UInt16, Range<Int>) -> Void) {
    var cursor = NetlinkCursor(range)
    while let attribute = cursor.nextAttribute(in: self) { body(attribute.type, attribute.payload) }
  }
}
