// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Which talkers are asked for: the largest of the active Flows, or of what they have in common.
struct TalkersQuery: Hashable {
  /// By what they are large.
  enum Measure: String, CaseIterable {
    case octets, packets, flows
  }

  /// What the Flows are summed by.
  enum Subject: String, CaseIterable {
    /// Each Flow by itself.
    case flow
    case source, destination
    /// Source and destination: a Flow counts to both.
    case host
    /// Protocol and the lower one of both ports, mostly the service's.
    case port
    case `protocol`
    /// The input interface's index.
    case interface
  }

  static let limits = 1...1000

  /// How many, within ``limits``.
  var limit = 10
  var measure = Measure.octets
  var subject = Subject.flow

  init() {}

  /// As they stand behind `top`; what is left out has its default.
  static let words =
    "[N] [by \(Measure.allCases.map(\.rawValue).joined(separator: "|"))]"
    + " [of \(Subject.allCases.map(\.rawValue).joined(separator: "|"))]"

  /// - Parameter words: those behind `top`.
  init(_ words: [Substring]) throws(ControlRefusal) {
    var words = words[...]
    while let word = words.popFirst() {
      switch word {
      case "by": measure = try Self.choice(word, words.popFirst())
      case "of": subject = try Self.choice(word, words.popFirst())
      default:
        guard let number = Int(word), Self.limits.contains(number) else {
          throw ControlRefusal(
            reason: "cannot list talkers by '\(word)': it is no number from \(Self.limits.lowerBound) to"
              + " \(Self.limits.upperBound); ask for top \(Self.words)")
        }
        limit = number
      }
    }
  }

  private static func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: Substring, _ word: Substring?
  ) throws(ControlRefusal) -> Choice where Choice.RawValue == String {
    if let word, let choice = Choice(rawValue: String(word)) { return choice }
    let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw ControlRefusal(
      reason: "cannot list talkers: '\(word ?? "")' behind '\(name)' is none of \(choices); give one of these")
  }

  /// As it is asked for.
  var request: String { "top \(limit) by \(measure.rawValue) of \(subject.rawValue)" }
}

extension TalkersQuery.Subject {
  /// The keys that a Flow counts to: its own with all else left out.
  func keys(of flow: FlowKey) -> [FlowKey] {
    var key = FlowKey()
    key.version = flow.version
    switch self {
    case .flow: return [flow]
    case .source:
      key.source = flow.source
      return [key]
    case .destination:
      key.source = flow.destination
      return [key]
    case .host:
      key.source = flow.source
      var other = key
      other.source = flow.destination
      return key == other ? [key] : [key, other]
    case .port:
      key.version = .v4
      key.protocol = flow.protocol
      if flow.protocol.hasPorts { key.sourcePort = min(flow.sourcePort, flow.destinationPort) }
      return [key]
    case .protocol:
      key.version = .v4
      key.protocol = flow.protocol
      return [key]
    case .interface:
      key.version = .v4
      key.ingressInterface = flow.ingressInterface
      return [key]
    }
  }

  /// One of these keys in words.
  func text(of key: FlowKey) -> String {
    switch self {
    case .flow: "\(FlowText.name(key.protocol)) \(FlowText.source(key)) \(FlowText.destination(key))"
    case .source, .destination, .host: key.source.text(key.version)
    case .port: "\(FlowText.name(key.protocol))\(key.protocol.hasPorts ? "/\(key.sourcePort)" : "")"
    case .protocol: FlowText.name(key.protocol)
    case .interface: "\(key.ingressInterface)"
    }
  }
}
