// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// The text that ipt_NETFLOW has in /proc/net/stat/ipt_netflow, line by line, for people and their scripts.
///
/// The first line names flowprobe. What the original's cpu lines tell of a processor, these tell of a thread that meters;
/// all words and their order are the original's. README, "How to read the statistics", says what each means here.
enum ProcStatistics {
  static func text(_ statistics: ProbeStatistics, _ rates: ProbeRates) -> String {
    var lines = settings(statistics)
    lines += table(statistics, rates)
    lines += meters(statistics, rates)
    lines += export(statistics, rates)
    lines += rules(statistics)
    return lines.map { $0 + "\n" }.joined()
  }

  private static func settings(_ statistics: ProbeStatistics) -> [String] {
    let program = statistics.program
    let captures = statistics.meters.filter(\.captures)
    var tags = ["dir", "nel", "vlan"]
    if program.recordsMACAddresses { tags.append("mac") }
    if !captures.isEmpty { tags.append(program.export.recordedLabels == 0 ? "promisc" : "promisc+mpls") }
    if program.sampling != nil { tags.append("samp") }
    if program.aggregation != nil { tags.append("aggr") }
    if program.interfaceIndexRules != nil { tags.append("snmp") }
    var lines = ["flowprobe \(program.version), srcversion \(program.build); \(tags.sorted().joined(separator: " "))"]

    let export = program.export
    let number = export.exportProtocol.rawValue
    if export.exportProtocol == .netFlow5 {
      lines.append("Protocol version \(number) (netflow)")
    } else {
      let name = export.exportProtocol == .ipfix ? "ipfix" : "netflow"
      lines.append(
        "Protocol version \(number) (\(name)), refresh-rate \(export.refreshRate), timeout-rate \(export.timeoutRate),"
          + " (templates \(statistics.templates), active \(statistics.templates)).")
    }
    let expiration = program.expiration
    lines.append(
      "Timeouts: active \(expiration.activeTimeout.components.seconds)s,"
        + " inactive \(expiration.inactiveTimeout.components.seconds)s. Maxflows \(program.maxFlows)")
    lines.append(sampling(statistics))
    if !captures.isEmpty {
      let observed = captures.reduce(UInt64(0)) { $0 &+ $1.counters.observedPackets }
      let discarded = captures.reduce(UInt64(0)) { $0 &+ $1.counters[.notIP] }
      lines.append(
        "Promisc hack is \(program.isPromiscuous ? "enabled" : "disabled")"
          + " (observed \(observed) packets, discarded \(discarded)).")
    }
    let events = statistics.exportsNATEvents ? statistics.nat?.connections ?? NATStatistics() : NATStatistics()
    lines.append(
      "Natevents \(statistics.exportsNATEvents ? "enabled" : "disabled"),"
        + " count start \(events.created), stop \(events.deleted).")
    return lines
  }

  /// Of flows alone: what `--packet-sampling` leaves out, the Prometheus file and the summary tell.
  private static func sampling(_ statistics: ProbeStatistics) -> String {
    guard let sampling = statistics.program.sampling, let mode = sampling.method.modeName else {
      return "Flow sampling is disabled."
    }
    let table = statistics.table
    // By hash, packets are chosen ahead of the table: nobody knows of how many flows the others were.
    let isAhead = sampling.method == .hashedFlows
    let flows = isAhead ? (table.created, 0) : (table.selected.flows, table.leftOut.flows)
    let metered = statistics.metered
    let packets =
      isAhead
      ? (metered.meteredPackets, metered.unselectedPackets) : (table.selected.packets, table.leftOut.packets)
    return "Flow sampling mode \(mode) one-out-of \(sampling.interval)."
      + " Flows selected \(flows.0), discarded \(flows.1). Pkts selected \(packets.0), discarded \(packets.1)."
  }

  private static func rules(_ statistics: ProbeStatistics) -> [String] {
    let aggregation = (statistics.program.aggregation?.rules ?? []).enumerated().map { place, rule in
      let usage = place < statistics.aggregationUsage.count ? statistics.aggregationUsage[place] : 0
      return switch rule {
      case .network(let address, let length, let result):
        "aggr#\(place) net: match \(address.text(.v4))/\(length) strip \(result) (usage \(usage))"
      case .ports(let range, let port):
        "aggr#\(place) port: ports \(range.lowerBound)-\(range.upperBound) replace \(port) (usage \(usage))"
      }
    }
    let indexes = (statistics.program.interfaceIndexRules?.rules ?? []).enumerated().map { place, rule in
      "SNMP-rule#\(place): prefix '\(rule.prefix)' map to \(rule.base)"
    }
    return aggregation + indexes
  }

  private static func table(_ statistics: ProbeStatistics, _ rates: ProbeRates) -> [String] {
    let (table, pass) = (statistics.table, statistics.pass)
    let age = max(0, statistics.moment.milliseconds - statistics.peak.reached.milliseconds) / 60_000
    let (days, hours, minutes) = (age / 1440, age / 60 % 24, age % 60)
    let most = ExportPass.mostPause.milliseconds
    let since = max(0, statistics.moment.milliseconds - pass.ended.milliseconds)
    let (held, pending) = (statistics.held, statistics.pending)
    let traffic = rates.traffic
    return [
      "Flows: active \(table.active) (peak \(statistics.peak.flows) reached \(days)d\(hours)h\(minutes)m ago),"
        + " mem \(table.memory >> 10)K, worker delay \(min(max(1, pass.pause), Int64(most)))/1000 [1..\(Int(most))]"
        + " (\(since) ms, \(pass.microseconds) us, \(pass.records):0 \(table.waiting) [cpu\(pass.processor)]).",
      "Hash: size \(table.indexEntries) (mem \(table.indexMemory >> 10)K), metric \(rates.metric[0].hundredths)"
        + " [\(rates.metric[1...].map(\.hundredths).joined(separator: ", "))]."
        + " InHash: \(held.packets) pkt, \(held.octets >> 10) K, InPDU \(pending.packets), \(pending.octets).",
      "Rate: \(traffic.now.bits) bits/sec, \(traffic.now.packets) packets/sec;"
        + " Avg 1 min: \(traffic.minute.bits) bps, \(traffic.minute.packets) pps;"
        + " 5 min: \(traffic.fiveMinutes.bits) bps, \(traffic.fiveMinutes.packets) pps",
    ]
  }

  private static func meters(_ statistics: ProbeStatistics, _ rates: ProbeRates) -> [String] {
    var lines = [
      "cpu#     pps; <search found new [metric], trunc frag alloc maxflows>, traffic: <pkt, bytes>, drop: <pkt, bytes>",
      "Total " + columns(statistics.metered, rates.threads.values.reduce(0, &+)),
    ]
    guard statistics.meters.count > 1 else { return lines }
    for (place, meter) in statistics.meters.enumerated() {
      lines.append(
        "cpu\("\(place)".padded(to: -2)) " + columns(meter.counters, rates.threads[meter.name, default: 0]))
    }
    return lines
  }

  private static func columns(_ counters: MeteringStatistics, _ packetsPerSecond: UInt64) -> String {
    let lookups = [counters.searchedEntries, counters.found, counters.createdFlows].map { "\($0)".padded(to: 6) }
    let errors = [counters.undecodable, counters.orphanedFragments, counters.droppedBefore, counters.evictedFlows]
    return "\("\(packetsPerSecond)".padded(to: 6)); \(lookups.joined(separator: " ")) [\(counters.metric.hundredths)],"
      + " \(errors.map { "\($0)".padded(to: 4) }.joined(separator: " ")),"
      + " traffic: \(counters.meteredPackets), \(counters.meteredOctets >> 20) MB,"
      + " drop: \(counters.dropped), \(counters.lostInTable.octets >> 10) K"
  }

  private static func export(_ statistics: ProbeStatistics, _ rates: ProbeRates) -> [String] {
    let sum = statistics.exported
    let total =
      "Export: Rate \(rates.export) bytes/s; Total \(sum.messages) pkts, \(sum.octets >> 20) MB, \(sum.sent.flows) flows;"
      + " Errors \(sum.errors) pkts; Traffic lost \(sum.lost.packets) pkts, \(sum.lost.octets >> 10) Kbytes,"
      + " \(sum.lost.flows) flows."
    return [total]
      + statistics.destinations.enumerated().map { place, destination in
        let export = destination.export
        guard export.isConnected else {
          return "sock\(place): \(destination.address) unconnected (\(export.failedAttempts) attempts)."
            + waiting(export.delivery)
        }
        if let files = export.files {
          return "sock\(place): \(destination.address), writing \(files.current ?? "none"), complete \(files.complete);"
            + " err: connect \(export.failedAttempts), other \(export.errors[.other, default: 0])"
        }
        return "sock\(place): \(destination.address), sndbuf \(export.sendBuffer), filled \(export.sendQueue),"
          + " peak \(export.sendQueuePeak); err: sndbuf reached \(export.errors[.bufferFull, default: 0]),"
          + " connect \(export.failedAttempts), cberr \(export.refusals), other \(export.otherErrors)"
          + waiting(export.delivery)
      }
  }

  /// Of a destination whose Collector acknowledges, which the original has none of.
  private static func waiting(_ delivery: DeliveryStatistics?) -> String {
    guard let delivery else { return "" }
    let queue = " queue \(delivery.queueOctets) of \(delivery.queueCapacity), resent \(delivery.resentMessages) pkts"
    guard let spool = delivery.spool else { return queue }
    return queue + "; spool \(spool.octets >> 10) of \(spool.capacity >> 10) K, \(spool.waiting.flows.flows) flows"
  }
}

extension Double {
  /// With two decimals, the rest cut off.
  var hundredths: String {
    let number = Int(self * 100)
    return "\(number / 100)." + "\(100 + number % 100)".dropFirst()
  }
}

extension Sampling.Method {
  /// ipt_NETFLOW's word for it; nil: it samples no flows.
  fileprivate var modeName: String? {
    switch self {
    case .deterministicFlows: "deterministic"
    case .randomFlows: "random"
    case .hashedFlows: "hash"
    case .packets: nil
    }
  }
}
