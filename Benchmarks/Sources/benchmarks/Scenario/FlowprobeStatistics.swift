// SPDX-License-Identifier: Apache-2.0

/// What flowprobe's statistics file says.
struct FlowprobeStatistics {
  private static let losses = [
    "dropped_packets_total", "unmetered_packets_total", "table_lost_packets_total", "export_lost_flow_packets_total",
  ]

  private let text: String

  /// As it is now.
  init(_ run: PeerRun) { text = run.file("stat/flowprobe.prom") ?? "" }

  /// The sum over all that have the name.
  func number(_ name: String) -> UInt64 {
    var sum: UInt64 = 0
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      guard line.split(whereSeparator: { $0 == "{" || $0 == " " }).first == "flowprobe_\(name)" else { continue }
      sum += line.split(separator: " ").last.flatMap { Double($0) }.map { UInt64($0) } ?? 0
    }
    return sum
  }

  /// Packets that came and of which no record that was sent tells.
  var lostPackets: UInt64 { Self.losses.reduce(0) { $0 + number($1) } }
}
