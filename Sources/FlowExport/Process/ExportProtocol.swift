// SPDX-License-Identifier: Apache-2.0

/// A protocol of flow export, by the version number in its header.
public enum ExportProtocol: UInt16, CaseIterable, Sendable {
  /// NetFlow v5: IPv4 in records of 48 octets, without templates.
  case netFlow5 = 5
  /// NetFlow v9 (RFC 3954).
  case netFlow9 = 9
  /// IPFIX (RFC 7011).
  case ipfix = 10

  /// What it is called in messages.
  public var name: String {
    switch self {
    case .netFlow5: "NetFlow v5"
    case .netFlow9: "NetFlow v9"
    case .ipfix: "IPFIX"
    }
  }

  /// By what operators write; nil where that is none.
  public init?(word: String) {
    switch word.lowercased() {
    case "10", "v10", "ipfix": self = .ipfix
    case "9", "v9": self = .netFlow9
    case "5", "v5": self = .netFlow5
    default: return nil
    }
  }

  /// What operators may write.
  public static let words = "10 or ipfix, 9 or v9, 5 or v5"
}
