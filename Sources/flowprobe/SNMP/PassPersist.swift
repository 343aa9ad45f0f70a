// SPDX-License-Identifier: Apache-2.0

/// What snmpd asks a program that its configuration names in a line `pass_persist` (snmpd.conf(5)): requests on standard
/// input, answers on standard output, both by lines.
struct PassPersist {
  private let tree: () -> ObjectTree

  /// - Parameter tree: asked with each request for the objects as they are then.
  init(_ tree: @escaping () -> ObjectTree) { self.tree = tree }

  /// Answers the next request.
  ///
  /// - Parameter read: gives the next line; nil where there is none.
  /// - Returns: the answer with its line ends; nil where snmpd is done.
  func answer(_ read: () -> String?) -> String? {
    guard let command = read(), !command.isEmpty else { return nil }
    switch command.lowercased() {
    case "ping": return "PONG\n"
    case "get":
      guard let name = read().flatMap({ ObjectName($0) }), let value = tree()[name] else { return "NONE\n" }
      return Self.text(name, value)
    case "getnext":
      guard let name = read().flatMap({ ObjectName($0) }), let next = tree().first(behind: name) else {
        return "NONE\n"
      }
      return Self.text(next.name, next.value)
    case "set":
      _ = (read(), read())
      return "not-writable\n"
    default: return "NONE\n"
    }
  }

  private static func text(_ name: ObjectName, _ value: ObjectTree.Value) -> String {
    let (type, text) =
      switch value {
      case .integer(let number): ("integer", "\(number)")
      case .gauge(let number): ("gauge", "\(number)")
      case .counter(let number): ("counter", "\(number)")
      case .counter64(let number): ("counter64", "\(number)")
      case .string(let string): ("string", string)
      case .octets(let octets):
        ("octet", octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " "))
      }
    return "\(name)\n\(type)\n\(text)\n"
  }
}
