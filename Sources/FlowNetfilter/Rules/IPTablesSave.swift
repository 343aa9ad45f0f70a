// SPDX-License-Identifier: Apache-2.0

/// The chains that `iptables-save` prints.
///
///     *raw
///     :PREROUTING ACCEPT [0:0]
///     -A PREROUTING -i eth0 -j NFLOG --nflog-group 5 --nflog-size 128 --nflog-threshold 100
///     COMMIT
enum IPTablesSave {
  static func chains(_ text: String, _ family: RuleFamily) -> [RuleChain] {
    var (chains, table) = ([RuleChain](), "")
    for line in text.split(separator: "\n") {
      switch line.first {
      case "*": table = String(line.dropFirst())
      case ":":
        let words = Self.words(line.dropFirst())
        // The kernel's own chains have a policy.
        let hook = words.count > 1 && words[1] != "-" ? PacketHook(rawValue: words[0].lowercased()) : nil
        chains.append(RuleChain(family: family, table: table, name: words[0], hook: hook))
      case "-":
        let words = Self.words(line)
        guard words.count > 2, words[0] == "-A",
          let place = chains.lastIndex(where: { $0.table == table && $0.name == words[1] })
        else { continue }
        chains[place].rules.append(rule(words.dropFirst(2)))
      default: break
      }
    }
    return chains
  }

  /// Words apart by spaces; those in quotation marks are one, in which a backslash quotes.
  private static func words(_ line: Substring) -> [String] {
    var (words, word, isQuoted, isEscaped) = ([String](), "", false, false)
    for character in line {
      switch character {
      case _ where isEscaped: (isEscaped, word) = (false, word + String(character))
      case "\\" where isQuoted: isEscaped = true
      case "\"": isQuoted.toggle()
      case " " where !isQuoted:
        words.append(word)
        word = ""
      default: word.append(character)
      }
    }
    return words + [word]
  }

  /// What stands before the target is the condition.
  private static func rule(_ words: ArraySlice<String>) -> PacketRule {
    var rule = PacketRule()
    let end = words.firstIndex { $0 == "-j" || $0 == "-g" } ?? words.endIndex
    rule.condition = condition(Array(words[..<end]))
    guard let target = words[end...].dropFirst().first else { return rule }
    if target == "NFLOG" {
      rule.log = statement(Array(words[end...]))
    } else if Self.targets.contains(target) {
      rule.isFinal = true
    } else if target.allSatisfy({ $0.isUppercase }), words[end] == "-j" {
      // A target of an extension, or a chain in capital letters: it may be either.
      (rule.isFinal, rule.jump) = (true, target)
    } else {
      rule.jump = target
    }
    return rule
  }

  private static let targets: Set = ["ACCEPT", "DROP", "RETURN", "REJECT", "QUEUE", "NFQUEUE"]

  private static func condition(_ words: [String]) -> RuleCondition {
    var (kept, rest) = ([String](), words[...])
    while let word = rest.popFirst() {
      guard word == "-m", let match = rest.first else {
        kept.append(word)
        continue
      }
      switch match {
      case "limit", "statistic", "hashlimit", "quota", "recent", "connlimit": return .varying
      case "comment": rest = rest.dropFirst(3)
      default: kept.append(word)
      }
    }
    return .octets(Array(kept.joined(separator: " ").utf8))
  }

  /// A group of 0 is not printed.
  private static func statement(_ words: [String]) -> LogStatement {
    func number(_ option: String) -> Int? {
      words.firstIndex(of: option).flatMap { place in words.dropFirst(place + 1).first.flatMap { Int($0) } }
    }
    return LogStatement(
      group: number("--nflog-group").flatMap { UInt16(exactly: $0) } ?? 0, snapLength: number("--nflog-size"),
      threshold: number("--nflog-threshold").flatMap { $0 == 0 ? nil : $0 })
  }
}
