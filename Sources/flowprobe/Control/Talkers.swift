// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Sums up Flow Records by what a query asks for, and knows the largest in the end.
///
/// Memory is bounded: when there are too many keys the smaller half is let go. As long as that does not happen all
/// figures are exact; afterwards those of a key that was let go and came again may be too small, by ``uncertainty`` at
/// most. Single Flows are exact always: what is let go of them does not come again.
struct Talkers {
  struct Totals: Hashable {
    var flows: UInt64 = 0
    var packets: UInt64 = 0
    var octets: UInt64 = 0
    /// Of each Flow, bits since its record began by that time, a second at least.
    var bitsPerSecond: UInt64 = 0
  }

  struct Talker: Hashable {
    var key: FlowKey
    var totals: Totals
  }

  /// How many keys there may be.
  static let mostKeys = 65_536

  private let query: TalkersQuery
  private let mostKeys: Int
  private var sums: [FlowKey: Totals] = [:]
  /// A single Flow that is not larger is none of the largest.
  private var floor: UInt64 = 0
  /// By how much the measure of a key may be too small.
  private(set) var uncertainty: UInt64 = 0

  init(_ query: TalkersQuery, mostKeys: Int = Talkers.mostKeys) {
    (self.query, self.mostKeys) = (query, query.subject == .flow ? min(mostKeys, 4 * query.limit) : mostKeys)
  }

  mutating func add(_ record: FlowRecord, at now: Timestamp) {
    let milliseconds = UInt64(max(1000, now.milliseconds - record.start.milliseconds))
    let totals = Totals(
      flows: 1, packets: record.packets, octets: record.octets,
      bitsPerSecond: UInt64(saturating: Double(record.octets) * 8000 / Double(milliseconds)))
    guard query.subject != .flow || floor == 0 || measure(totals) > floor else { return }
    for key in query.subject.keys(of: record.key) {
      sums[key, default: Totals()].add(totals)
      if sums.count > mostKeys { letGo() }
    }
  }

  private func measure(_ totals: Totals) -> UInt64 {
    switch query.measure {
    case .octets: totals.octets
    case .packets: totals.packets
    case .flows: totals.flows
    }
  }

  /// Keeps the larger half.
  private mutating func letGo() {
    let kept = sums.sorted { measure($0.value) > measure($1.value) }
    let bound = measure(kept[mostKeys / 2].value)
    sums = Dictionary(uniqueKeysWithValues: kept.prefix(mostKeys / 2).map { ($0.key, $0.value) })
    sums.reserveCapacity(mostKeys + 1)
    if query.subject == .flow { floor = bound } else { uncertainty &+= bound }
  }

  /// The largest, largest first; of equal ones in the order of their texts.
  var largest: [(text: String, totals: Totals)] {
    let order: (Totals, Totals) -> Bool = {
      (measure($0), $0.octets, $0.packets) > (measure($1), $1.octets, $1.packets)
    }
    let sorted = sums.sorted { order($0.value, $1.value) }
    guard let last = sorted.prefix(query.limit).last?.value else { return [] }
    // Texts are made of those alone that may be among them.
    return sorted.prefix { !order(last, $0.value) }
      .map { (query.subject.text(of: $0.key), $0.value) }
      .sorted { order($0.1, $1.1) || !order($1.1, $0.1) && $0.0 < $1.0 }
      .prefix(query.limit).map { ($0.0, $0.1) }
  }
}

extension Talkers.Totals {
  mutating func add(_ other: Self) {
    flows &+= other.flows
    packets &+= other.packets
    octets &+= other.octets
    bitsPerSecond &+= other.bitsPerSecond
  }
}

/// The answer to `top`: the table is visited a part at a time, then comes the text.
///
///     # octets packets flows bits/s source
///     1280000 10000 4 85333 192.0.2.1
///
/// A last line tells when figures may be too small.
final class TalkersVisit {
  private let query: TalkersQuery
  private let table: FlowTable
  private let now: () -> Timestamp
  private var talkers: Talkers
  private var visit = FlowTableVisit()
  private var buffer = FlowRecordBuffer()
  private var isDone = false

  /// - Parameter now: the table's time.
  init(_ query: TalkersQuery, in table: FlowTable, now: @escaping () -> Timestamp) {
    (self.query, self.table, self.now) = (query, table, now)
    talkers = Talkers(query)
  }

  /// As ``ControlAnswer`` wants it.
  func next() -> String? {
    guard !isDone else { return nil }
    let goesOn = table.copyActive(&visit, into: &buffer)
    let now = now()
    for i in 0..<buffer.count { talkers.add(buffer[i], at: now) }
    buffer.removeAll()
    guard !goesOn else { return "" }
    isDone = true
    return Self.text(talkers, query)
  }

  static func text(_ talkers: Talkers, _ query: TalkersQuery) -> String {
    var text = "# octets packets flows bits/s \(query.subject.rawValue)\n"
    for (name, totals) in talkers.largest {
      text += "\(totals.octets) \(totals.packets) \(totals.flows) \(totals.bitsPerSecond) \(name)\n"
    }
    if talkers.uncertainty > 0 {
      text +=
        "# more than \(Talkers.mostKeys) were seen: \(query.measure.rawValue) may be too small by up to"
        + " \(talkers.uncertainty)\n"
    }
    return text
  }
}
