// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// The text that ipt_NETFLOW has in /proc/net/stat/ipt_netflow_snmp, for programs: a name and its value a line, then a
/// line a metering thread and a line a destination.
enum SNMPStatistics {
  static func text(_ statistics: ProbeStatistics, _ rates: ProbeRates) -> String {
    let (metered, exported, held) = (statistics.metered, statistics.exported, statistics.held)
    let totals: [(String, any CustomStringConvertible)] = [
      ("inBitRate", rates.traffic.now.bits),
      ("inPacketRate", rates.traffic.now.packets),
      ("inFlows", metered.createdFlows),
      ("inPackets", metered.meteredPackets),
      ("inBytes", metered.meteredOctets),
      ("hashMetric", rates.metric[0].hundredths),
      ("hashMemory", statistics.table.memory),
      ("hashFlows", statistics.table.active),
      ("hashPackets", held.packets),
      ("hashBytes", held.octets),
      ("dropPackets", metered.dropped),
      ("dropBytes", metered.lostInTable.octets),
      ("outByteRate", rates.export),
      ("outFlows", exported.sent.flows),
      ("outPackets", exported.messages),
      ("outBytes", exported.octets),
      ("lostFlows", exported.lost.flows),
      ("lostPackets", exported.lost.packets),
      ("lostBytes", exported.lost.octets),
      ("errTotal", exported.errors),
    ]
    var lines = totals.map { line($0.0, $0.1) }
    for (place, meter) in statistics.meters.enumerated() {
      let counters = meter.counters
      lines.append(
        "cpu\(place) \(rates.threads[meter.name, default: 0]) \(counters.createdFlows) \(counters.meteredPackets)"
          + " \(counters.meteredOctets) \(counters.metric.hundredths) \(counters.dropped) \(counters.lostInTable.octets)"
          + " \(counters.undecodable) \(counters.orphanedFragments) \(counters.droppedBefore) \(counters.evictedFlows)")
    }
    for (place, destination) in statistics.destinations.enumerated() {
      let export = destination.export
      lines.append(
        "sock\(place) \(destination.address) \(export.isConnected ? 1 : 0) \(export.failedAttempts)"
          + " \(export.errors[.bufferFull, default: 0]) \(export.refusals) \(export.otherErrors)"
          + " \(export.sendBuffer) \(export.sendQueue) \(export.sendQueuePeak)")
    }
    lines.append(line("sndbufPeak", statistics.destinations.map(\.export.sendQueuePeak).max() ?? 0))
    return lines.map { $0 + "\n" }.joined()
  }

  private static func line(_ name: String, _ value: any CustomStringConvertible) -> String {
    name.padded(to: -12) + " \(value)"
  }
}
