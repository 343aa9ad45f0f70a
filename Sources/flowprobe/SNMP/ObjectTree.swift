// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// The objects of IPT-NETFLOW-MIB, read out of the statistics files.
///
///     .1.1  the program: name, version, build, start, number of metering threads
///     .1.2  settings, as net.netflow's; read-only here
///     .2.1  totals
///     .2.2  a row for each thread that meters
///     .2.3  a row for each destination
struct ObjectTree {
  /// enterprises.37476.9000.10.1
  static let root = ObjectName([1, 3, 6, 1, 4, 1, 37476, 9000, 10, 1])

  enum Value: Hashable {
    case integer(Int32)
    case gauge(UInt32)
    case counter(UInt32)
    case counter64(UInt64)
    case string(String)
    case octets([UInt8])
  }

  /// In the order of a walk.
  private(set) var objects: [(name: ObjectName, value: Value)] = []

  /// - Parameters:
  ///   - people: the text of `ipt_netflow`.
  ///   - programs: the text of `ipt_netflow_snmp`.
  init(people: String, programs: String, started: Timestamp?) {
    addProgram(people, programs, started)
    addSettings(people, programs)
    addTotals(programs)
    objects.sort { $0.name < $1.name }
  }

  init() {}

  subscript(name: ObjectName) -> Value? { objects.first { $0.name == name }?.value }

  func first(behind name: ObjectName) -> (name: ObjectName, value: Value)? {
    objects.first { $0.name > name }
  }

  private mutating func add(_ path: UInt32..., value: Value) {
    objects.append((ObjectName(Self.root.numbers + path), value))
  }

  // MARK: The program and its settings

  private mutating func addProgram(_ people: String, _ programs: String, _ started: Timestamp?) {
    let words = people.prefix { $0 != "\n" }.split { " ,;".contains($0) }
    guard words.count >= 4 else { return }
    add(1, 1, 1, 0, value: .string(String(words[0])))
    add(1, 1, 2, 0, value: .string(String(words[1])))
    add(1, 1, 3, 0, value: .string(String(words[3])))
    if let started { add(1, 1, 4, 0, value: .octets(started.dateAndTime)) }
    let threads = programs.split(separator: "\n").count { $0.hasPrefix("cpu") }
    add(1, 1, 5, 0, value: .integer(Int32(threads)))
  }

  private mutating func addSettings(_ people: String, _ programs: String) {
    func number(behind text: String) -> Int32 {
      guard let place = people.firstRange(of: text) else { return 0 }
      return Int32(people[place.upperBound...].prefix { $0.isWholeNumber }) ?? .max
    }
    let destinations = programs.split(separator: "\n").filter { $0.hasPrefix("sock") }
      .compactMap { $0.split(separator: " ").dropFirst().first }
    let values: [Value] = [
      .integer(number(behind: "Protocol version ")),
      .integer(number(behind: "Hash: size ")),
      .integer(number(behind: " Maxflows ")),
      .integer(number(behind: "Timeouts: active ")),
      .integer(number(behind: "s, inactive ")),
      .integer(number(behind: ", sndbuf ")),
      .string(destinations.joined(separator: ",")),
      .string(aggregation(people)),
      .string(sampler(people)),
      .integer(people.contains("\nNatevents enabled") ? 1 : 0),
      .integer(people.contains("\nPromisc hack is enabled") ? 1 : 0),
      .string(indexRules(people)),
      .integer(1),  // scan-min
    ]
    for (place, value) in values.enumerated() { add(1, 2, UInt32(place) + 1, 0, value: value) }
  }

  /// `aggr#0 net: match 10.0.0.0/8 strip 24 (usage 3)` and `aggr#1 port: ports 1024-65535 replace 0 (usage 5)`, as the
  /// option has them.
  private func aggregation(_ people: String) -> String {
    rules("aggr#", people).map { "\($0[3])=\($0[5])" }.joined(separator: ",")
  }

  /// `SNMP-rule#0: prefix 'eth' map to 100`
  private func indexRules(_ people: String) -> String {
    rules("SNMP-rule#", people).map { "\($0[2].filter { $0 != "'" }):\($0[5])" }.joined(separator: ",")
  }

  /// `Flow sampling mode random one-out-of 10. …`
  private func sampler(_ people: String) -> String {
    rules("Flow sampling mode ", people).first.map { "\($0[3]):\($0[5].prefix { $0 != "." })" } ?? ""
  }

  /// The words of the lines that begin so, six or more.
  private func rules(_ beginning: String, _ people: String) -> [[Substring]] {
    people.split(separator: "\n").filter { $0.hasPrefix(beginning) }.map { $0.split(separator: " ") }
      .filter { $0.count >= 6 }
  }

  // MARK: Totals and tables

  private enum Kind { case integer, gauge, counter, counter64, string }

  private static let totals: [(name: Substring, kind: Kind)] = [
    ("inBitRate", .counter64), ("inPacketRate", .gauge), ("inFlows", .counter64), ("inPackets", .counter64),
    ("inBytes", .counter64), ("hashMetric", .gauge), ("hashMemory", .gauge), ("hashFlows", .gauge),
    ("hashPackets", .gauge), ("hashBytes", .counter64), ("dropPackets", .counter64), ("dropBytes", .counter64),
    ("outByteRate", .gauge), ("outFlows", .counter64), ("outPackets", .counter64), ("outBytes", .counter64),
    ("lostFlows", .counter64), ("lostPackets", .counter64), ("lostBytes", .counter64), ("errTotal", .counter),
    ("sndbufPeak", .counter),
  ]

  /// Packets a second, flows, packets, octets, metric, dropped packets and octets, trunc, frag, alloc, maxflows.
  private static let meterColumns: [Kind] = [
    .gauge, .counter64, .counter64, .counter64, .gauge, .counter64, .counter64, .counter, .counter, .counter, .counter,
  ]

  /// Address, whether connected, connect, full, cberr, other, sndbuf, filled, peak.
  private static let destinationColumns: [Kind] = [
    .string, .integer, .counter, .counter, .counter, .counter, .gauge, .gauge, .gauge,
  ]

  private mutating func addTotals(_ programs: String) {
    for line in programs.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let name = words.first, words.count > 1 else { continue }
      if name.hasPrefix("cpu"), let index = UInt32(name.dropFirst(3)) {
        add(2, 2, 1, 1, index, value: .integer(Int32(clamping: index)))
        addRow(2, index, words.dropFirst(), Self.meterColumns)
      } else if name.hasPrefix("sock"), let index = UInt32(name.dropFirst(4)) {
        addRow(3, index, words.dropFirst(), Self.destinationColumns)
      } else if let place = Self.totals.firstIndex(where: { $0.name == name }) {
        add(2, 1, UInt32(place) + 1, 0, value: Self.value(words[1], Self.totals[place].kind))
      }
    }
  }

  /// A row's columns from the second on: the first is its index.
  private mutating func addRow(_ table: UInt32, _ index: UInt32, _ words: ArraySlice<Substring>, _ kinds: [Kind]) {
    for (place, (word, kind)) in zip(words, kinds).enumerated() {
      add(2, table, 1, UInt32(place) + 2, index, value: Self.value(word, kind))
    }
  }

  /// A metric, with its decimals, stands in hundredths.
  private static func value(_ word: Substring, _ kind: Kind) -> Value {
    let number = UInt64(word.filter { $0 != "." }) ?? 0
    return switch kind {
    case .integer: .integer(Int32(clamping: number))
    case .gauge: .gauge(UInt32(clamping: number))
    case .counter: .counter(UInt32(truncatingIfNeeded: number))
    case .counter64: .counter64(number)
    case .string: .string(String(word))
    }
  }
}

extension Timestamp {
  /// As a DateAndTime in UTC (RFC 2579 section 2): year (2), month, day, hour, minute, second, tenths, `+`, hours, minutes.
  fileprivate var dateAndTime: [UInt8] {
    // 2026-01-31T12:00:00.123Z
    let digits = iso8601.utf8.map { $0 }
    func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + Int($1) - 48 } }
    let year = number(0..<4)
    let rest = [number(5..<7), number(8..<10), number(11..<13), number(14..<16), number(17..<19), number(20..<21)]
    return ([year >> 8, year & 0xff] + rest).map { UInt8($0) } + [UInt8(ascii: "+"), 0, 0]
  }
}
