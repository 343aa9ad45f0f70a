// SPDX-License-Identifier: Apache-2.0

internal import FlowNetfilter

/// What there is to say of interfaces that are captured on.
enum InterfaceFindings {
  /// Of one that is open, and so up.
  static func state(
    _ name: String, _ state: InterfaceState?, linkType: String, isPromiscuous: Bool, threads: Int = 1
  ) -> Finding {
    let words = [
      state.map { $0.hasCarrier ? "up" : "up without carrier" }, linkType,
      isPromiscuous && name != "any" ? "promiscuous" : nil, threads > 1 ? "\(threads) threads" : nil,
    ]
    return .fact("interface", "\(name): \(words.compactMap { $0 }.joined(separator: ", "))")
  }

  /// More threads than there are processors for them.
  static func crowded(_ threads: Int, on processors: Int) -> [Finding] {
    guard threads > processors, processors > 0 else { return [] }
    return [
      .notice(
        "\(threads) threads meter, on \(processors) processor\(processors == 1 ? "" : "s"): they take turns, and no more is"
          + " metered than by fewer; lower --threads")
    ]
  }

  /// Where the packets of interfaces are merged: on themselves, but what comes to a bridge or bond on its ports.
  static func merging(
    _ interfaces: [InterfaceState], of all: [InterfaceState], _ offload: (String) -> InterfaceOffload
  ) -> [(name: String, offload: InterfaceOffload)] {
    var found: [(name: String, offload: InterfaceOffload)] = []
    func add(_ name: String, _ offload: InterfaceOffload) {
      if let place = found.firstIndex(where: { $0.name == name }) {
        found[place].offload.formUnion(offload)
      } else {
        found.append((name, offload))
      }
    }
    for interface in interfaces {
      let ports = all.filter { $0.controller == interface.index }
      add(interface.name, ports.isEmpty ? offload(interface.name) : offload(interface.name).subtracting(.receiving))
      for port in ports { add(port.name, offload(port.name).intersection(.receiving)) }
    }
    return found
  }

  /// Interfaces that merge packets, or leave it to the card to cut them: of them fewer are seen than there are.
  static func merged(_ offloads: [(name: String, offload: InterfaceOffload)]) -> [Finding] {
    var names: [InterfaceOffload: [String]] = [:]
    for (name, offload) in offloads where !offload.isEmpty { names[offload, default: []].append(name) }
    return names.sorted { $0.key.rawValue < $1.key.rawValue }.map { offload, names in
      let options = offload.names.map { "\($0) off" }.joined(separator: " ")
      return .notice(
        "packets of \(list(names)) are seen merged (\(offload.names.joined(separator: ", "))): they are counted as"
          + " merged, without the headers in between; 'ethtool -K \(names.count == 1 ? names[0] : "INTERFACE") \(options)'"
          + " ends that, at the price of processor time")
    }
  }

  /// Four by name; of more the first three, and how many others.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(names.count > 4 ? 3 : 4).map { "'\($0)'" }.joined(separator: ", ")
    return names.count > 4 ? "\(shown) and \(names.count - 3) other interfaces" : shown
  }

  /// Interfaces that show the same packets.
  ///
  /// - Parameters:
  ///   - captured: by the names that were given; nil where there is none, and for `any`.
  ///   - all: every interface there is.
  static func twice(_ captured: [(name: String, state: InterfaceState?)], _ all: [InterfaceState]) -> [Finding] {
    if let other = captured.first(where: { $0.name != "any" }), captured.contains(where: { $0.name == "any" }) {
      return [
        .notice("'any' is all interfaces, '\(other.name)' too: its packets are counted twice; leave one of them out")
      ]
    }
    let byIndex = Dictionary(all.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    var findings: [Finding] = []
    for (place, first) in captured.enumerated() {
      for second in captured[(place + 1)...] {
        guard let one = first.state, let other = second.state else { continue }
        if let relation = relation(one, other, byIndex) ?? relation(other, one, byIndex) {
          findings.append(
            .notice("\(relation): packets that pass both are counted twice; capture on one of them"))
        }
      }
    }
    return findings
  }

  /// Why packets of the first interface pass the second too; nil where they do not.
  private static func relation(
    _ one: InterfaceState, _ other: InterfaceState, _ byIndex: [UInt32: InterfaceState]
  ) -> String? {
    if one.index == other.index { return "'\(one.name)' is given by two names" }
    if one.controller == other.index { return "'\(one.name)' is a port of '\(other.name)'" }
    if one.below == other.index, other.below == one.index {
      return "'\(one.name)' and '\(other.name)' are the ends of a link"
    }
    if one.below == other.index { return "'\(one.name)' lies on '\(other.name)'" }
    return passes(one, other.index, byIndex) ? "'\(one.name)' leads to '\(other.name)'" : nil
  }

  /// Whether what comes by an interface passes the other too: over bridges, bonds and what they lie on.
  private static func passes(_ state: InterfaceState, _ index: UInt32, _ byIndex: [UInt32: InterfaceState]) -> Bool {
    var (ahead, seen) = ([state], Set<UInt32>())
    while let next = ahead.popLast() {
      guard seen.insert(next.index).inserted else { continue }
      for other in [next.controller, next.below].compactMap({ $0 }) {
        if other == index { return true }
        if let state = byIndex[other] { ahead.append(state) }
      }
    }
    return false
  }
}
