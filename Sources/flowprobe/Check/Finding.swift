// SPDX-License-Identifier: Apache-2.0

/// What a check found out, in words for the operator.
struct Finding: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// What would run; the label says of what it tells.
    case fact(label: String)
    /// What would be missed, or be otherwise than it seems. flowprobe runs all the same.
    case notice
    /// Why flowprobe could not run.
    case problem
  }

  var kind: Kind
  var text: String

  static func fact(_ label: String, _ text: String) -> Finding { Finding(kind: .fact(label: label), text: text) }
  static func notice(_ text: String) -> Finding { Finding(kind: .notice, text: text) }
  static func problem(_ text: String) -> Finding { Finding(kind: .problem, text: text) }
}

extension [Finding] {
  var hasProblem: Bool { contains { $0.kind == .problem } }

  /// What is printed, a line each: facts, notices, problems, and what they come to.
  var lines: [String] {
    var (facts, notices, problems) = ([String](), [String](), [String]())
    for finding in self {
      switch finding.kind {
      case .fact(let label): facts.append("\(label.padded(to: -Self.labelWidth))\(finding.text)")
      case .notice: notices.append("notice: \(finding.text)")
      case .problem: problems.append("problem: \(finding.text)")
      }
    }
    return facts + notices + problems + [problems.isEmpty ? "flowprobe can run" : "flowprobe cannot run"]
  }

  private static let labelWidth = 13
}
