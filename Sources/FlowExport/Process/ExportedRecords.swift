// SPDX-License-Identifier: Apache-2.0

/// The kinds of records that a destination gets; templates go with them. Default: all.
public struct ExportedRecords: OptionSet, Hashable, Sendable {
  /// A bit a kind.
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Flow Records.
  public static let flows = ExportedRecords(rawValue: 1 << 0)
  /// The beginning and the end of translated connections.
  public static let natEvents = ExportedRecords(rawValue: 1 << 1)
  /// What tells of the exporter itself: sampling, statistics, losses, interfaces. NetFlow v5 has none.
  public static let options = ExportedRecords(rawValue: 1 << 2)
  /// Every kind.
  public static let all: ExportedRecords = [.flows, .natEvents, .options]

  private static let words: KeyValuePairs = ["flows": flows, "nat": natEvents, "options": options]

  /// What operators write of each kind.
  public static var allWords: [String] { words.map(\.key) }

  /// Parses kinds with `+` between them: `flows+nat`. Nil where one is none.
  public init?(words text: String) {
    self = []
    for word in text.split(separator: "+", omittingEmptySubsequences: false) {
      guard let kind = Self.words.first(where: { $0.key == word })?.value else { return nil }
      insert(kind)
    }
  }
}
