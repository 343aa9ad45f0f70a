// SPDX-License-Identifier: Apache-2.0

/// The settings of the kernel module ipt_NETFLOW, as its users have written them down: a line of modprobe.d, or a
/// listing of `sysctl net.netflow`.
///
///     options ipt_NETFLOW destination=127.0.0.1:2055 protocol=10 natevents=1
///     net.netflow.active_timeout = 15
struct ModuleSettings {
  /// By the module parameter's name, with underscores; the value as it is written, without quotation marks.
  private(set) var values: [String: String] = [:]
  /// The rules that send packets to the target NETFLOW, as iptables-save prints them.
  private(set) var rules: [String] = []

  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) { read(line.trimmed) }
  }

  private mutating func read(_ line: Substring) {
    guard !line.isEmpty, !line.hasPrefix("#") else { return }
    // With -c a rule has its counters in front: [packets:octets].
    let rule = line.hasPrefix("[") ? line.drop { $0 != "]" }.dropFirst().trimmed : line
    if rule.hasPrefix("-A "), rule.contains("-j NETFLOW") {
      rules.append(String(rule))
    } else if line.hasPrefix("options ipt_NETFLOW") {
      for (name, value) in Self.parameters(line.dropFirst("options ipt_NETFLOW".count)) { values[name] = value }
    } else if let range = line.firstRange(of: "net.netflow.") {
      let setting = line[range.upperBound...]
      guard let equals = setting.firstIndex(of: "=") else { return }
      let name = String(setting[..<equals].trimmed).replacing("-", with: "_")
      values[name] = Self.unquoted(setting[setting.index(after: equals)...].trimmed)
    }
  }

  /// `name=value` apart by spaces; a value may stand in quotation marks, or the whole pair.
  private static func parameters(_ text: Substring) -> [(String, String)] {
    var (words, word, quote) = ([String](), "", Character?.none)
    for character in text {
      switch character {
      case "\"", "'":
        if quote == character { quote = nil } else if quote == nil { quote = character } else { word.append(character) }
      case _ where character.isWhitespace && quote == nil:
        if !word.isEmpty { words.append(word) }
        word = ""
      default: word.append(character)
      }
    }
    if !word.isEmpty { words.append(word) }
    return words.compactMap { word in
      guard let equals = word.firstIndex(of: "=") else { return nil }
      return (String(word[..<equals]).replacing("-", with: "_"), String(word[word.index(after: equals)...]))
    }
  }

  private static func unquoted(_ text: Substring) -> String {
    guard text.count >= 2, let first = text.first, first == text.last, first == "\"" || first == "'" else {
      return String(text)
    }
    return String(text.dropFirst().dropLast())
  }
}
