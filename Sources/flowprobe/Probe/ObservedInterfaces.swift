// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter

/// The interfaces that the options records tell of: those that are captured on; all that there are where `any` is, or
/// where packets come from elsewhere.
///
/// Belongs to the exporting thread.
struct ObservedInterfaces {
  let table: InterfaceTable
  private let captures: [CaptureInterface]
  private let observesAll: Bool
  private let rules: InterfaceIndexRules?
  private var knownIndexes: [UInt32] = []
  /// Under which indexes the interfaces are exported that a rule is for; those that have gone keep theirs until thousands
  /// of others have come: Flows of theirs may still be active.
  private(set) var indexes: [UInt32: UInt32] = [:]
  private var present: Set<UInt32> = []
  /// Those that have gone, the first to go first.
  private var gone: [UInt32] = []
  private static let mostGone = 4096
  /// As ``refresh()`` found them last.
  private(set) var list: [ObservedInterface] = []

  init(_ sources: [any PacketSource], in table: InterfaceTable, _ rules: InterfaceIndexRules? = nil) {
    self.table = table
    self.rules = rules
    captures = sources.compactMap { $0 as? CaptureInterface }
    observesAll = captures.count < sources.count || captures.contains { $0.name == "any" }
    find()
  }

  /// Follows what has changed since the last call. Never waits.
  ///
  /// - Returns: whether the list is another now.
  mutating func refresh() -> Bool {
    // What is captured on changes too, when an interface goes and comes back.
    guard table.refresh() || captures.map(\.ifIndex) != knownIndexes else { return false }
    let before = list
    find()
    return list != before
  }

  private mutating func follow(_ all: [NetworkInterface], _ rules: InterfaceIndexRules) {
    let before = present
    present = Set(all.map(\.index))
    gone.removeAll { present.contains($0) }
    gone += before.subtracting(present).filter { indexes[$0] != nil }
    let tooMany = max(0, gone.count - Self.mostGone)
    for index in gone.prefix(tooMany) { indexes[index] = nil }
    gone.removeFirst(tooMany)
    for interface in all { indexes[interface.index] = rules.index(of: interface.name) }
  }

  private mutating func find() {
    knownIndexes = captures.map(\.ifIndex)
    let all = table.all
    if let rules { follow(all, rules) }
    // By its index first: capture goes on under a new name.
    let observed = observesAll ? all : captures.compactMap { table[$0.ifIndex] ?? table.named($0.name) }
    list = observed.map { ObservedInterface($0, index: indexes[$0.index] ?? $0.index) }
  }
}

extension ObservedInterface {
  fileprivate init(_ interface: NetworkInterface, index: UInt32) {
    self.init(index: index, name: interface.name, alias: interface.alias, speed: interface.speed)
  }
}
