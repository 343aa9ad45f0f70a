// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// Under which indexes interfaces are exported, by their names: ipt_NETFLOW's `snmp-rules`.
///
/// Of the rules the first whose prefix the name begins with gives the index: its base and the decimal number behind the
/// prefix, which is 0 where there is none. The Flows are kept apart by the interfaces' own indexes.
public struct InterfaceIndexRules: Hashable, Sendable {
  /// Interfaces whose name begins with `prefix` have the index `base` + the number behind it.
  public struct Rule: Hashable, Sendable {
    /// How the name begins; at least one character.
    public var prefix: String
    /// What the number behind the prefix is added to.
    public var base: UInt32
  }

  /// In the order in which they are tried.
  public let rules: [Rule]

  /// Parses rules, apart by commas, semicolons or white space: `prefix:base`.
  ///
  /// - Returns: nil where there are none.
  public static func parse(_ text: String) throws(SelectionError) -> InterfaceIndexRules? {
    var rules: [Rule] = []
    for entry in text.split(whereSeparator: { " ,;\t\n".contains($0) }) {
      let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, let base = UInt32(parts[1]) else {
        throw SelectionError(
          description: "'\(entry)' is no rule for interface indexes; write prefix:base, as in eth:100.")
      }
      rules.append(Rule(prefix: String(parts[0]), base: base))
    }
    return rules.isEmpty ? nil : InterfaceIndexRules(rules: rules)
  }

  /// The index of an interface by its name; nil where no rule is for it, and its own index holds.
  public func index(of name: String) -> UInt32? {
    guard let rule = rules.first(where: { name.hasPrefix($0.prefix) }) else { return nil }
    let digits = name.dropFirst(rule.prefix.count).prefix { ("0"..."9").contains($0) }
    let number = digits.isEmpty ? 0 : UInt32(digits) ?? .max
    let (sum, overflow) = rule.base.addingReportingOverflow(number)
    return overflow ? .max : sum
  }
}

extension FlowRecord {
  /// Puts the indexes under which interfaces are exported in place of their own; those that are not in `indexes` stay.
  mutating func renumberInterfaces(_ indexes: [UInt32: UInt32]) {
    key.ingressInterface = indexes[key.ingressInterface] ?? key.ingressInterface
    egressInterface = indexes[egressInterface] ?? egressInterface
    guard !detail.isEmpty else { return }
    detail.ingressPhysicalInterface = indexes[detail.ingressPhysicalInterface] ?? detail.ingressPhysicalInterface
    detail.egressPhysicalInterface = indexes[detail.egressPhysicalInterface] ?? detail.egressPhysicalInterface
  }
}
