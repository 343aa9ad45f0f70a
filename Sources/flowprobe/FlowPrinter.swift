// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import Glibc

/// Prints Flow Records on standard output: as an aligned table, or as JSON, an object a line.
final class FlowPrinter: FlowRecordConsumer {
  private var json: FlowJSONEncoder?
  private let eventJSON: NATEventJSONEncoder
  private var table: FlowTableText
  /// Not printed yet: what one pass brings is printed in the order of time.
  private var records: [FlowRecord] = []
  private var events: [NATEvent] = []
  private static let mostRecords = 4096
  /// Called once, when standard output takes no more.
  private let onClosed: (SystemError) -> Void
  private var isClosed = false

  /// - Parameters:
  ///   - json: prints JSON with these numbers for NAT events; nil prints text.
  ///   - showsLabels: whether the text has MPLS labels.
  init(json: NATEventCodes?, showsLabels: Bool, onClosed: @escaping (SystemError) -> Void) {
    table = FlowTableText(showsLabels: showsLabels)
    self.json = json.map { _ in FlowJSONEncoder() }
    eventJSON = NATEventJSONEncoder(json ?? .rfc8158)
    self.onClosed = onClosed
  }

  func consume(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
    for i in 0..<records.count {
      var record = records[i]
      record.start = record.start.advanced(byMilliseconds: instant.shift)
      record.end = record.end.advanced(byMilliseconds: instant.shift)
      self.records.append(record)
    }
    if self.records.count >= Self.mostRecords { flush(at: instant) }
  }

  func consume(_ events: [NATEvent], at instant: ExportInstant) { self.events += events }

  func flush(at instant: ExportInstant) {
    guard !records.isEmpty || !events.isEmpty else { return }
    records.sort { ($0.start, $0.key.sourcePort) < ($1.start, $1.key.sourcePort) }
    let code = isClosed ? 0 : Console.write(to: STDOUT_FILENO, text())
    if code != 0 {
      isClosed = true
      onClosed(SystemError(code: code))
    }
    records.removeAll(keepingCapacity: true)
    events.removeAll(keepingCapacity: true)
  }

  private func text() -> String {
    guard json != nil else {
      return (records.isEmpty ? "" : table.text(of: records)) + events.map { NATEventText.line($0) + "\n" }.joined()
    }
    var text = ""
    for record in records { text += (json?.encode(record) ?? "") + "\n" }
    for event in events { text += eventJSON.encode(event) + "\n" }
    return text
  }
}

/// Flow Records as rows under a heading. Columns are as wide as their widest text so far.
struct FlowTableText {
  private static let heading = [
    "START", "SECONDS", "PROTO", "SOURCE", "DESTINATION", "PACKETS", "OCTETS", "FLAGS", "TOS", "IF", "VLAN", "END",
  ]
  /// Numbers stand to the right.
  private static let rightAligned: Set<Int> = [1, 5, 6, 8, 9, 10]

  /// Where the labels stand, if they are shown.
  private static let labelsColumn = 11

  private let showsLabels: Bool
  private var widths = [23, 7, 5, 21, 21, 7, 7, 6, 3, 2, 4, 6]
  private var hasHeading = false

  init(showsLabels: Bool = false) {
    self.showsLabels = showsLabels
    if showsLabels { widths.insert(6, at: Self.labelsColumn) }
  }

  /// From the top; behind a plus how many there were that are not recorded.
  private static func labels(_ record: FlowRecord) -> String {
    let recorded = Int(record.key.recordedLabels)
    guard recorded > 0 else { return "-" }
    let labels = (0..<recorded).map { "\(record.labels.section($0) >> 4)" }.joined(separator: "/")
    let others = Int(record.labels.depth) - recorded
    return others == 0 ? labels : "\(labels)+\(others)"
  }

  private var heading: [String] {
    var heading = Self.heading
    if showsLabels { heading.insert("LABELS", at: Self.labelsColumn) }
    return heading
  }

  private static func row(_ record: FlowRecord) -> [String] {
    let key = record.key
    let duration = record.end.milliseconds - record.start.milliseconds
    let tags = [key.outerTag, key.innerTag].filter { $0 != 0 }.map { "\(FlowRecord.vlan($0).id)" }
    return [
      String(record.start.iso8601.dropLast()).replacing("T", with: " "),
      "\(duration / 1000).\(String(duration % 1000 + 1000).dropFirst())",
      FlowText.name(key.protocol),
      FlowText.source(key), FlowText.destination(key),
      "\(record.packets)", "\(record.octets)",
      key.protocol == .tcp ? flags(record.tcpControlBits) : "-",
      "\(key.classOfService)", "\(key.ingressInterface)", tags.isEmpty ? "-" : tags.joined(separator: "/"),
      name(record.endReason),
    ]
  }

  mutating func text(of records: [FlowRecord]) -> String {
    var rows = records.map(Self.row)
    if showsLabels { for i in rows.indices { rows[i].insert(Self.labels(records[i]), at: Self.labelsColumn) } }
    if !hasHeading { rows.insert(heading, at: 0) }
    hasHeading = true
    for row in rows {
      for (column, text) in row.enumerated() { widths[column] = max(widths[column], text.count) }
    }
    var text = ""
    for row in rows {
      var line = ""
      for (column, cell) in row.enumerated() {
        line += cell.padded(to: Self.rightAligned.contains(column) ? widths[column] : -widths[column])
        if column < row.count - 1 { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      text += line + "\n"
    }
    return text
  }

  private static func name(_ reason: FlowEndReason) -> String {
    switch reason {
    case .idleTimeout: "idle"
    case .activeTimeout: "active"
    case .endOfFlowDetected: "closed"
    case .forcedEnd: "stop"
    case .lackOfResources: "full"
    default: "\(reason.rawValue)"
    }
  }

  /// As tcpdump and nfdump write them: CEUAPRSF, a dot for one that is not set.
  private static func flags(_ bits: UInt8) -> String {
    String("CEUAPRSF".enumerated().map { bits & 0x80 >> UInt8($0.offset) != 0 ? $0.element : "." })
  }
}
