// SPDX-License-Identifier: Apache-2.0

/// Reads destinations as operators write them.
///
///     list         entries apart by spaces, commas, semicolons, tabs or line ends
///     entry        destination, or mode(list) with a mode of ``DestinationGroup/Mode``, or mirror(list)
///     destination  [udp://]address[:port][@source][%device][?parameter=value&…]
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
    var isURL = false
    if let range = rest.firstRange(of: "://") {
      guard rest[..<range.lowerBound] == "udp" else {
        throw AddressError(
          entry: String(text), reason: "'\(rest[..<range.lowerBound])' is no way to send", advice: "write udp://")
      }
      (rest, isURL) = (rest[range.upperBound...], true)
    }
    // A comma would end the destination whose records they were to be.
    guard isURL || ExportedRecords(words: String(rest)) == nil else {
      throw AddressError(
        entry: String(text), reason: "it is a kind of records", advice: "write records=flows+nat, or udp://\(text)")
    }
    let mark = rest.firstIndex(of: "?") ?? rest.endIndex
    var host = rest[..<mark]
    if isURL, host.last == "/" { host.removeLast() }
    let address: CollectorAddress
    do throws(AddressError) {
      address = try CollectorAddress(String(host))
    } catch {
      throw AddressError(entry: String(text), reason: error.reason, advice: error.advice)
    }
    var destination = ExportDestination(address, defaults)
    do throws(DestinationParameter.Refusal) {
      try set(rest[mark...].dropFirst(), in: &destination.configuration)
      try destination.configuration.check()
    } catch {
      throw AddressError(entry: String(text), reason: error.reason, advice: error.advice)
    }
    return destination
  }

  // MARK: Parameters

  private func set(
    _ query: Substring, in configuration: inout ExportConfiguration
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
      try parameter.set(try value(pair[equals...].dropFirst()), in: &configuration)
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
    address.host == other.address.host && address.port == other.address.port && configuration == other.configuration
  }
}

extension DestinationEntry {
  /// Parses lists of destinations: the grammar stands at `DestinationParser`.
  ///
  /// Of destinations that are the same but for where they are sent from, the first holds. Those of one address that
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
    numbers[destination.address.description, default: 0] += 1
    destination.number = numbers[destination.address.description, default: 1]
    return destination
  }
}
