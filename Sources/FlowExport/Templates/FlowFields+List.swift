// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// A line of the list of fields.
public struct FieldDescription: Hashable, Sendable {
  /// The element's number.
  public let id: UInt16
  /// Whose element it is (IANA "Private Enterprise Numbers"); nil: IANA's "IPFIX Information Elements".
  public let enterprise: UInt32?
  /// The element's name in its registry.
  public let name: String
  /// Octets on the wire.
  public let length: Int
  /// Whether IPFIX templates have it.
  public var isInIPFIX: Bool
  /// Whether NetFlow v9 templates have it.
  public var isInNetFlow9: Bool
}

extension FlowFields {
  /// Every field that a Flow Record or a NAT event may have, by number; those of enterprises last.
  public static func list(of profile: FieldProfile = .generic) -> [FieldDescription] {
    let (rules, hasNetFlow9) = (profile.rules, profile.suits(.netFlow9))
    var list = FieldList()
    for shape in FlowShape.fullest {
      for dialect in hasNetFlow9 ? [FieldDialect.ipfix, .netFlow9] : [.ipfix] {
        list.add(shape.fields(for: dialect, isSampled: true, labels: MPLSLabelStack.mostEntries, rules), to: [dialect])
      }
    }
    for shape in NATEventShape.allCases {
      list.add(shape.fields(.rfc8158, rules), to: hasNetFlow9 ? [.ipfix, .netFlow9] : [.ipfix])
    }
    return list.lines.sorted { $0.key < $1.key }.map(\.value)
  }
}

/// Gathers fields of several kinds of records.
private struct FieldList {
  /// By enterprise and number.
  private(set) var lines: [UInt64: FieldDescription] = [:]

  mutating func add<Record>(_ fields: [Field<Record>], to dialects: [FieldDialect]) {
    for field in fields {
      let number = UInt64(field.enterprise ?? 0) << 16 | UInt64(field.id)
      var line =
        lines[number]
        ?? FieldDescription(
          id: field.id, enterprise: field.enterprise, name: field.name, length: field.length, isInIPFIX: false,
          isInNetFlow9: false)
      if dialects.contains(.ipfix) { line.isInIPFIX = true }
      if dialects.contains(.netFlow9) { line.isInNetFlow9 = true }
      lines[number] = line
    }
  }
}
