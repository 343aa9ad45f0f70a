// SPDX-License-Identifier: Apache-2.0

/// Reads destinations as operators write them.
///
///     list         entries apart by spaces, commas, semicolons, tabs or line ends
///     entry        destination, or mode(list) with a mode of ``DestinationGroup/Mode``, or mirror(list)
///     destination  [scheme://]place[?parameter=value&…] with a scheme of ``DestinationTarget/Scheme``; none is udp
///     place        address[:port][@source][%device], of files an absolute path as ``FilePattern`` has it
///
/// Separators do not count within quotation marks and brackets. A value in quotation marks stands as it is, another is
/// percent-decoded.
struct DestinationParser {
  /// What holds where a destination does not say otherwise.
  let defaults: ExportConfiguration

  /// How deep lists may stand in brackets: each level reads its text again.
  private static let deepest = 8

  func entries(_ text: Substring, depth: Int = 0) throws(AddressError) -> [DestinationEntry] {
    guard depth <= Self.deepest else {
      throw AddressError(
        entry: String(text.prefix(40)), reason: "it stands in more than \(Self.deepest) brackets",
        advice: "name the destinations in one list")
    }
    let parts = try split(text, at: " ,;\t\n")
    guard !parts.isEmpty else { throw AddressError(entry: String(text), reason: "it is empty") }
    var entries: [DestinationEntry] = []
    for part in parts { entries += try self.entries(ofPart: part, depth) }
    return entries
  }

  private func entries(ofPart text: Substring, _ depth: Int) throws(AddressError) -> [DestinationEntry] {
    let word = text.prefix { $0.isLetter || $0 == "-" }
    let behind = text[word.endIndex...]
    guard behind.first == "(", text.last == ")" else { return [.destination(try destination(text))] }
    let members = try entries(behind.dropFirst().dropLast(), depth: depth + 1)
    // What a plain list is.
    if word == "mirror" { return members }
    guard let mode = DestinationGroup.Mode(rawValue: String(word)) else {
      let modes = (["mirror"] + DestinationGroup.Mode.allCases.map(\.rawValue)).joined(separator: ", ")
      throw AddressError(entry: String(text), reason: "'\(word)' is no kind of group", advice: "give one of \(modes)")
    }
    var group = DestinationGroup(mode, [])
    for member in members {
      guard case .destination(let destination) = member else {
        throw AddressError(
          entry: String(text), reason: "a group cannot hold another one", advice: "name destinations in it")
      }
      if !group.members.contains(where: { $0.isRepeated(by: destination) }) { group.members.append(destination) }
    }
    return [.group(group)]
  }

  func destination(_ text: Substring) throws(AddressError) -> ExportDestination {
    var rest = text
    var scheme: DestinationTarget.Scheme?
    // A value behind the question mark may be a URL too.
    if let range = rest.prefix(while: { $0 != "?" }).firstRange(of: "://") {
      scheme = DestinationTarget.Scheme(rawValue: String(rest[..<range.lowerBound]))
      guard scheme != nil else {
        let schemes = DestinationTarget.Scheme.allCases.map(\.prefix).joined(separator: ", ")
        throw AddressError(
          entry: String(text), reason: "'\(rest[..<range.lowerBound])' is no way to send", advice: "write \(schemes)")
      }
      rest = rest[range.upperBound...]
    }
    // A comma would end the destination whose records they were to be.
    guard scheme != nil || ExportedRecords(words: String(rest)) == nil else {
      throw AddressError(
        entry: String(text), reason: "it is a kind of records", advice: "write records=flows+nat, or udp://\(text)")
    }
    let mark = rest.firstIndex(of: "?") ?? rest.endIndex
    let target: DestinationTarget
    do throws(AddressError) {
      target = try self.target(scheme, rest[..<mark])
    } catch {
      throw AddressError(entry: String(text), reason: error.reason, advice: error.advice)
    }
    var destination = ExportDestination(target, defaults)
    // A disk has a pace of its own.
    if target.scheme == .file { destination.configuration.exportRate = 0 }
    do throws(DestinationParameter.Refusal) {
      try set(rest[mark...].dropFirst(), in: &destination)
      try destination.check()
    } catch {
      throw AddressError(entry: String(text), reason: error.reason, advice: error.advice)
    }
    return destination
  }

  /// - Parameter scheme: nil where none was written.
  private func target(
    _ scheme: DestinationTarget.Scheme?, _ place: Substring
  ) throws(AddressError) -> DestinationTarget {
    // The path of a URL that has none.
    let place = scheme != nil && scheme != .file && place.last == "/" ? place.dropLast() : place
    let way = scheme ?? .udp
    func address() throws(AddressError) -> CollectorAddress {
      try CollectorAddress(String(place), defaultPort: way.defaultPort)
    }
    switch way {
    case .udp: return .udp(try address())
    case .tcp: return .tcp(try address())
    case .tls: return .tls(try address())
    case .file: return .file(try pattern(place))
    }
  }

  /// Nothing of it is percent-decoded: `%` stands for times.
  private func pattern(_ text: Substring) throws(AddressError) -> FilePattern {
    var path = text
    if let quote = path.first, Self.quotes.contains(quote), path.count > 1, path.last == quote {
      path = path.dropFirst().dropLast()
    }
    do throws(FilePattern.Refusal) {
      return try FilePattern(String(path))
    } catch {
      throw AddressError(entry: String(text), reason: error.reason, advice: error.advice)
    }
  }

  // MARK: Parameters

  private func set(
    _ query: Substring, in destination: inout ExportDestination
  ) throws(DestinationParameter.Refusal) {
    var seen: Set<DestinationParameter> = []
    for pair in Self.split(query, at: "&", respectsBrackets: false) ?? [query] {
      let equals = pair.firstIndex(of: "=") ?? pair.endIndex
      let key = pair[..<equals]
      guard let parameter = DestinationParameter(rawValue: String(key)), equals < pair.endIndex else {
        let keys = ExportDestination.parameterNames.joined(separator: ", ")
        throw DestinationParameter.Refusal(
          reason: equals < pair.endIndex ? "'\(key)' is no parameter" : "'\(pair)' is no parameter with a value",
          advice: "give \(keys), each as name=value")
      }
      guard seen.insert(parameter).inserted else {
        throw DestinationParameter.Refusal(reason: "\(key) is given twice", advice: "give it once")
      }
      try parameter.check(for: destination.target.scheme)
      try parameter.set(try value(pair[equals...].dropFirst()), in: &destination.configuration)
    }
  }

  private func value(_ text: Substring) throws(DestinationParameter.Refusal) -> String {
    if let quote = text.first, Self.quotes.contains(quote), text.count > 1, text.last == quote {
      return String(text.dropFirst().dropLast())
    }
    var octets: [UInt8] = []
    var rest = text.utf8
    while let octet = rest.popFirst() {
      guard octet == UInt8(ascii: "%") else {
        octets.append(octet)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let decoded = UInt8(digits, radix: 16) else {
        throw DestinationParameter.Refusal(
          reason: "'%\(digits)' is no percent-encoded octet", advice: "write %25 for a percent sign")
      }
      octets.append(decoded)
      rest = rest.dropFirst(2)
    }
    return String(decoding: octets, as: UTF8.self)
  }

  // MARK: Splitting

  private static let quotes: Set<Character> = ["\"", "'"]

  private func split(_ text: Substring, at separators: String) throws(AddressError) -> [Substring] {
    guard let parts = Self.split(text, at: separators, respectsBrackets: true) else {
      throw AddressError(
        entry: String(text), reason: "a bracket or a quotation mark is open",
        advice: "close it, or write it as %28 or %22")
    }
    return parts
  }

  /// The parts that are not empty; nil where a bracket or a quotation mark is not closed.
  private static func split(_ text: Substring, at separators: String, respectsBrackets: Bool) -> [Substring]? {
    var parts: [Substring] = []
    var (start, depth, quote) = (text.startIndex, 0, Character?.none)
    for (place, character) in zip(text.indices, text) {
      if let open = quote {
        if character == open { quote = nil }
      } else if quotes.contains(character) {
        quote = character
      } else if respectsBrackets, character == "(" {
        depth += 1
      } else if respectsBrackets, character == ")" {
        depth -= 1
        if depth < 0 { return nil }
      } else if depth == 0, separators.contains(character) {
        if start < place { parts.append(text[start..<place]) }
        start = text.index(after: place)
      }
    }
    if start < text.endIndex { parts.append(text[start...]) }
    return depth == 0 && quote == nil ? parts : nil
  }
}

extension ExportDestination {
  /// Whether the other one is the same but for where it is sent from.
  func isRepeated(by other: ExportDestination) -> Bool {
    target.isRepeated(by: other.target) && configuration == other.configuration
  }
}

extension DestinationEntry {
  /// Parses lists of destinations: the grammar stands at `DestinationParser`.
  ///
  /// Of destinations that are the same but for where they are sent from, the first holds. Those of one target that
  /// differ otherwise are numbered.
  ///
  /// - Parameters:
  ///   - texts: a list each.
  ///   - defaults: what holds where a destination does not say otherwise.
  /// - Throws: ``AddressError``, in words for the operator.
  public static func list(
    _ texts: [String], defaults: ExportConfiguration
  ) throws(AddressError) -> [DestinationEntry] {
    let parser = DestinationParser(defaults: defaults)
    var list: [DestinationEntry] = []
    for text in texts {
      for entry in try parser.entries(text[...]) where !list.contains(where: { $0.isRepeated(by: entry) }) {
        list.append(entry)
      }
    }
    var spools: Set<String> = []
    for destination in list.flatMap(\.destinations) {
      guard let spool = destination.configuration.delivery.spool, !spools.insert(spool).inserted else { continue }
      throw AddressError(
        entry: destination.description, reason: "another destination has the spool '\(spool)'",
        advice: "give each a directory of its own")
    }
    var numbers: [String: Int] = [:]
    return list.map { entry in
      switch entry {
      case .destination(let destination): .destination(numbered(destination, &numbers))
      case .group(let group): .group(DestinationGroup(group.mode, group.members.map { numbered($0, &numbers) }))
      }
    }
  }

  private func isRepeated(by other: DestinationEntry) -> Bool {
    if case .destination(let first) = self, case .destination(let second) = other {
      return first.isRepeated(by: second)
    }
    return self == other
  }

  private static func numbered(_ destination: ExportDestination, _ numbers: inout [String: Int]) -> ExportDestination {
    var destination = destination
    numbers[destination.target.description, default: 0] += 1
    destination.number = numbers[destination.target.description, default: 1]
    return destination
  }
}
