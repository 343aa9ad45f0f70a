// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads a file, and stat(2), into memory of ours.

internal import ArgumentParser
internal import FlowMeter
internal import Glibc

/// A configuration file: a list of options, one a line, as they stand on the command line but for the dashes.
///
///     # what the router forwards
///     nflog 5
///     natevents
///     dest 192.0.2.1:2055, 192.0.2.2:2055
///     protocol = 9
///
/// Types, ranges, defaults and messages are the options' own. The file's options stand before those of the command
/// line, so that of an option that is given twice the command line's holds; of options that may be repeated, all do.
struct ConfigurationFile {
  /// The options as arguments, in the order of the lines.
  let arguments: [String]

  /// An error that names the file and, where there is one, the line.
  struct Refusal: Error, CustomStringConvertible {
    var path: String
    var line: Int?
    var reason: String

    var description: String {
      let place = line.map { ", line \($0)" } ?? ""
      return "cannot use configuration file '\(path)'\(place): \(reason)"
    }
  }

  /// That others than root and its owner's group may write it, in words; nil where they may not.
  static func exposure(of path: String) -> String? {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IWOTH != 0 else { return nil }
    return "anybody may write to '\(path)', and so decide what flowprobe does; run 'chmod o-w \(path)'"
  }

  init(path: String) throws(Refusal) { try self.init(try Self.read(path), path: path) }

  init(_ text: String, path: String) throws(Refusal) {
    var arguments: [String] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      guard let (option, isFilter) = Self.arguments(ofLine: line) else { continue }
      // The parser would take it for an option, or all that follows for the filter's.
      if isFilter, let word = option.first(where: { $0.hasPrefix("-") && $0 != "-" }) {
        throw Refusal(
          path: path, line: index + 1,
          reason: "'\(word)' is no word of a filter; give options lines of their own, and a minus a space behind it")
      }
      guard option.first?.hasPrefix("--config") != true else {
        throw Refusal(path: path, line: index + 1, reason: "a configuration file cannot name another one")
      }
      guard option.first != "--check" else {
        throw Refusal(path: path, line: index + 1, reason: "'check' starts nothing; give it on the command line")
      }
      guard option.first != "--" else {
        // The parser would take all that follows for a filter's words.
        throw Refusal(
          path: path, line: index + 1, reason: "there is no name in '\(line)'; give an option and its value")
      }
      guard arguments.count + option.count <= Self.mostArguments else {
        throw Refusal(
          path: path, line: index + 1,
          reason: "there are more than \(Self.mostArguments) options and words of filters; give fewer")
      }
      if let reason = Self.refusal(of: option) { throw Refusal(path: path, line: index + 1, reason: reason) }
      arguments += option
    }
    self.arguments = arguments
  }

  /// A line's arguments: `--name`, or `--name=value`; the words of a filter as they are. Nil for a blank line or a
  /// comment.
  private static func arguments(ofLine line: Substring) -> (arguments: [String], isFilter: Bool)? {
    let line = line.trimmed
    guard !line.isEmpty, !line.hasPrefix("#"), !line.hasPrefix(";") else { return nil }
    let end = line.firstIndex { $0 == "=" || $0.isWhitespace } ?? line.endIndex
    let name = line[..<end].drop { $0 == "-" }
    var value = line[end...].trimmed
    if value.first == "=" { value = value.dropFirst().trimmed }
    if name == "filter" { return (value.split(whereSeparator: \.isWhitespace).map(String.init), true) }
    let long = Self.longNames[String(name)] ?? String(name)
    return (value.isEmpty ? ["--\(long)"] : ["--\(long)=\(value)"], false)
  }

  /// Options that have a letter too.
  private static let longNames = ["i": "interface", "r": "read", "B": "buffer-size"]

  /// What the program says of one option alone; nil: it takes it.
  private static func refusal(of option: [String]) -> String? {
    do {
      _ = try Meter.parse(NetfilterOptions.completing(option))
      return nil
    } catch {
      return Meter.message(for: error)
    }
  }

  private static let mostOctets = 1 << 20
  /// The parser's time grows with their square: so many take it a second or two.
  private static let mostArguments = 2000

  /// The text of a file; `-` is standard input.
  static func read(_ path: String) throws(Refusal) -> String {
    let descriptor = unsafe path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Refusal(path: path, reason: "\(SystemError.last); give a file that can be read")
    }
    defer { close(descriptor) }
    var octets: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 1)
    defer { unsafe buffer.deallocate() }
    while true {
      let count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      guard count >= 0 else { throw Refusal(path: path, reason: "\(SystemError.last); give a file that can be read") }
      if count == 0 { break }
      unsafe octets.append(contentsOf: buffer[..<count])
      guard octets.count <= mostOctets else {
        throw Refusal(
          path: path, reason: "it has more than \(mostOctets) octets; give a list of options, one a line")
      }
    }
    return String(decoding: octets, as: UTF8.self)
  }
}

extension Substring {
  /// Without white space at both ends.
  var trimmed: Substring {
    var text = drop { $0.isWhitespace }
    while text.last?.isWhitespace ?? false { text.removeLast() }
    return text
  }
}
