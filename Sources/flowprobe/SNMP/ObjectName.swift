// SPDX-License-Identifier: Apache-2.0

/// The name of an object: an OBJECT IDENTIFIER (RFC 3416 section 3), as net-snmp writes it: `.1.3.6.1`.
struct ObjectName: Hashable, Comparable, CustomStringConvertible {
  var numbers: [UInt32]

  init(_ numbers: [UInt32]) { self.numbers = numbers }

  /// Nil where the text is none.
  init?(_ text: some StringProtocol) {
    let parts = text.drop { $0 == "." }.split(separator: ".", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { UInt32($0) }
    guard numbers.count == parts.count else { return nil }
    self.numbers = numbers
  }

  func appending(_ more: UInt32...) -> ObjectName { ObjectName(numbers + more) }

  /// The order in which a walk meets objects.
  static func < (a: ObjectName, b: ObjectName) -> Bool { a.numbers.lexicographicallyPrecedes(b.numbers) }

  var description: String { numbers.map { ".\($0)" }.joined() }
}
