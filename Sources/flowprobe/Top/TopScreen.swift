// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What `flowprobe top` shows, row by row, out of what the running flowprobe answered.
struct TopScreen {
  /// The latest reading, and the one before with the time between them, from which rates are.
  var reading: MetricsReading
  var previous: MetricsReading?
  var seconds = 1.0
  /// The wall clock's time.
  var now = Timestamp(milliseconds: 0)
  /// Sources and collectors beyond are told by their number.
  var mostRows = Int.max

  /// Program, losses, sources and collectors.
  var head: [StyledRow] {
    [title, flows, losses, StyledRow()] + sources + [StyledRow()] + collectors
  }

  private func growth(_ value: (MetricsReading) -> Double) -> Double {
    // A flowprobe that was started anew begins at 0.
    previous.map { max(0, value(reading) - value($0)) } ?? 0
  }

  private func rate(_ name: String, _ label: (String, String)? = nil, times factor: Double = 1) -> String {
    (growth { $0.sum(name, label) } * factor / seconds).scaled
  }

  private func total(_ value: (MetricsReading) -> Double) -> StyledRow.Span {
    StyledRow.Span(text: "\(UInt64(saturating: value(reading)))", style: growth(value) > 0 ? .alert : .plain)
  }

  // MARK: The program

  private var title: StyledRow {
    let version = reading.samples("build_info").first?.labels["version"] ?? ""
    let up = max(0, now.milliseconds / 1000 - Int64(saturating: max(0, reading.sum("start_time_seconds"))))
    let (minutes, seconds) = ("\(up / 60 % 60 + 100)".dropFirst(), "\(up % 60 + 100)".dropFirst())
    return StyledRow([
      StyledRow.Span(text: "flowprobe \(version)", style: .heading),
      StyledRow.Span(text: ", up \(up >= 86_400 ? "\(up / 86_400)d " : "")\(up / 3600 % 24):\(minutes):\(seconds)"),
    ])
  }

  private var flows: StyledRow {
    let (active, peak) = (reading.sum("active_flows"), reading.sum("active_flows_peak"))
    return StyledRow(
      "Flows: \(Int(saturating: active)) active, \(Int(saturating: peak)) at most, \(rate("created_flows_total")) new/s,"
        + " room for \(Int(saturating: reading.sum("active_flows_limit")))")
  }

  private var losses: StyledRow {
    let reasons: [(name: String, value: (MetricsReading) -> Double)] = [
      ("kernel", { $0.sum("dropped_packets_total", ("reason", "kernel")) }),
      ("interface", { $0.sum("dropped_packets_total", ("reason", "interface")) }),
      ("undecodable", { Self.undecodable($0) }),
      ("early", { $0.sum("evicted_flows_total") }),
      ("table", { $0.sum("table_lost_flows_total") }),
      ("export", { $0.sum("export_lost_flows_total") }),
      ("NAT", { $0.sum("nat_lost_events_total") + $0.sum("nat_overruns_total") }),
    ]
    var spans = [StyledRow.Span(text: "Losses:")]
    for (place, reason) in reasons.enumerated()
    where reason.name != "NAT" || !reading.samples("nat_overruns_total").isEmpty {
      let count = total(reason.value)
      spans.append(StyledRow.Span(text: "\(place > 0 ? "," : "") \(reason.name) "))
      spans.append(count)
    }
    return StyledRow(spans)
  }

  private static func undecodable(_ reading: MetricsReading, _ source: String? = nil) -> Double {
    reading.samples("unmetered_packets_total").reduce(0) { sum, sample in
      let counts = sample.labels["reason"] != "not_ip" && (source == nil || sample.labels["source"] == source)
      return counts ? sum + sample.value : sum
    }
  }

  // MARK: Sources and collectors

  private var sources: [StyledRow] {
    var table = StyledTable(
      ["SOURCE", "PACKETS/S", "BITS/S", "DROPPED", "UNDECODABLE"], isRightAligned: [false, true, true, true, true])
    let names = reading.values(of: "source", in: "metered_packets_total")
    for name in names.prefix(mostRows) {
      let label = ("source", name)
      table.add([
        StyledRow.Span(text: name),
        StyledRow.Span(text: rate("metered_packets_total", label)),
        StyledRow.Span(text: rate("metered_bytes_total", label, times: 8)),
        total { $0.sum("dropped_packets_total", label) },
        total { Self.undecodable($0, name) },
      ])
    }
    return table.laidOut(atLeast: [24, 9, 9]) + more(names.count)
  }

  private var collectors: [StyledRow] {
    let names = reading.values(of: "destination", in: "export_connected")
    guard !names.isEmpty else { return [StyledRow("no collectors: flows are printed")] }
    var table = StyledTable(
      ["COLLECTOR", "MESSAGES/S", "FLOWS/S", "LOST FLOWS", "ERRORS", "STATE"],
      isRightAligned: [false, true, true, true, true, false])
    for name in names.prefix(mostRows) {
      let label = ("destination", name)
      let refuses = growth { $0.sum("export_refusals_total", label) } > 0
      let state = refuses ? "refuses" : reading.sum("export_connected", label) > 0 ? "connected" : "unconnected"
      table.add([
        StyledRow.Span(text: name),
        StyledRow.Span(text: rate("export_messages_total", label)),
        StyledRow.Span(text: rate("export_flows_total", label)),
        total { $0.sum("export_lost_flows_total", label) },
        total { $0.sum("export_lost_messages_total", label) + $0.sum("export_refusals_total", label) },
        StyledRow.Span(text: state, style: state == "connected" ? .plain : .alert),
      ])
    }
    return table.laidOut(atLeast: [24]) + more(names.count)
  }

  private func more(_ count: Int) -> [StyledRow] {
    count > mostRows ? [StyledRow("and \(count - mostRows) more")] : []
  }

  // MARK: Talkers

  /// The rows of an answer to `top`.
  static func talkers(_ answer: String, _ query: TalkersQuery) -> [StyledRow] {
    func title(_ measure: TalkersQuery.Measure) -> String {
      (measure == query.measure ? "*" : "") + measure.rawValue.uppercased()
    }
    var table = StyledTable(
      [title(.octets), title(.packets), title(.flows), "BITS/S", query.subject.rawValue.uppercased()],
      isRightAligned: [true, true, true, true, false])
    var notes: [StyledRow] = []
    for (place, line) in answer.split(separator: "\n").enumerated() where place > 0 {
      let parts = line.split(separator: " ", maxSplits: 4)
      guard !line.hasPrefix("#"), parts.count == 5 else {
        notes.append(StyledRow(String(line.drop { "# ".contains($0) })))
        continue
      }
      let rate = (Double(parts[3]) ?? 0).scaled
      table.add((parts[..<3] + [Substring(rate), parts[4]]).map { StyledRow.Span(text: String($0)) })
    }
    return table.laidOut(atLeast: [14, 11, 8, 8]) + notes
  }

  static let help = StyledRow("q quit   o by octets   p by packets   f by flows   t of flows, hosts, ports and others")
}
