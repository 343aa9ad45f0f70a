// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// How the files of a destination are called: a directory, and a name in which the file's begin stands where it says so
/// as strftime(3) does: `/var/lib/flowprobe/flows-%Y%m%d-%H%M.ipfix`. Times are local.
public struct FilePattern: Hashable, Sendable, CustomStringConvertible {
  /// Where the files are; an absolute path without an end in `/`, but for the root directory.
  public let directory: String
  /// The name with what stands for a time.
  let name: String

  /// What may stand behind `%`: nothing that a locale or a `/` comes with.
  static let conversions = "YymdjGVuHMSFsz%"

  /// The longest name that a file has room for (NAME_MAX), less what is added to it while it is written and by a number.
  private static let longestName = 255 - 32

  /// Why a path cannot be one, and what can.
  struct Refusal: Error {
    var reason: String
    var advice: String
  }

  /// Parses an absolute path.
  init(_ path: String) throws(Refusal) {
    let advice = "write it as file:///var/lib/flowprobe/flows-%Y%m%d-%H%M.ipfix"
    guard path.first == "/", let slash = path.lastIndex(of: "/") else {
      throw Refusal(reason: "'\(path)' is no absolute path", advice: advice)
    }
    directory = slash == path.startIndex ? "/" : String(path[..<slash])
    name = String(path[path.index(after: slash)...])
    guard !name.isEmpty, name != ".", name != ".." else {
      throw Refusal(reason: "'\(path)' names a directory and no file", advice: advice)
    }
    // What lists destinations has a space behind each.
    guard !path.contains(where: { $0.isWhitespace || $0.asciiValue.map { $0 < 0x20 || $0 == 0x7f } ?? false }) else {
      throw Refusal(reason: "'\(path)' has a space or a control character", advice: "give a path without")
    }
    guard !directory.contains("%") else {
      throw Refusal(reason: "a directory's name cannot have a time or a '%'", advice: advice)
    }
    let unknown = Self.letters(of: name).first { letter in letter.map { !Self.conversions.contains($0) } ?? true }
    if let unknown {
      let known = Self.conversions.map { "%\($0)" }.joined(separator: " ")
      throw Refusal(
        reason: "'%\(unknown.map(String.init) ?? "")' in '\(name)' is no time", advice: "give one of \(known)")
    }
    guard text(at: .wallClock()).utf8.count <= Self.longestName else {
      throw Refusal(reason: "its name is too long", advice: "give one of at most \(Self.longestName) octets")
    }
  }

  /// What stands behind each `%`; nil at the end.
  private static func letters(of name: String) -> [Character?] {
    var (letters, rest) = ([Character?](), name[...])
    while let mark = rest.firstIndex(of: "%") {
      rest = rest[rest.index(after: mark)...]
      letters.append(rest.popFirst())
    }
    return letters
  }

  /// Whether files that begin at different times have different names.
  public var hasTime: Bool { Self.letters(of: name).contains { $0 != "%" } }

  /// The name of a file that begins then.
  func text(at begin: Timestamp) -> String { LocalTime.text(name, at: begin) }

  /// The path as it was written.
  public var description: String { "\(directory == "/" ? "" : directory)/\(name)" }

  /// A name's variant where that is taken: the number, from 1, goes ahead of the ending: `flows_1.ipfix`.
  static func numbered(_ name: String, _ number: Int) -> String {
    guard number > 0 else { return name }
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "\(name)_\(number)" }
    return "\(name[..<dot])_\(number)\(name[dot...])"
  }
}
