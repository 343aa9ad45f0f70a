// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import Glibc

/// What was metered, exported and lost, on standard error at the end.
enum Summary {
  static func print(_ parts: ProbeParts) {
    let (metered, configuration) = (parts.metered, parts.configuration)
    if !parts.sources.isEmpty || metered.observedPackets > 0 {
      let table = parts.tableStatistics
      for line in lines(metered, table, isLive: configuration.isLive, LossAdvice.kernelDrops(parts)) {
        Console.say(line, .info)
      }
    }
    if let sampling = configuration.table.sampling { Console.say(line(sampling, parts.sampled), .info) }
    let selection = configuration.selection
    for line in lines(selection.aggregation, selection.aggregationUsage.current) { Console.say(line, .info) }
    if let follower = parts.follower, let events = follower.events {
      for line in lines(follower.translations.statistics, dropped: events.dropped) { Console.say(line, .info) }
    }
    for collector in parts.collectors { print(collector) }
  }

  /// Of one destination.
  static func print(_ collector: CollectorExporter) {
    for line in lines(collector.statistics, collector.destination) { Console.say(line, .info) }
  }

  static func lines(_ translations: NATStatistics, dropped: UInt64) -> [String] {
    var lines = [
      "NAT events: \(translations.created) create, \(translations.deleted) delete;"
        + " \(translations.active) translated connections are active"
    ]
    if translations.overruns + dropped > 0 {
      lines.append(
        "lost NAT events: the kernel had no room \(translations.overruns) times, \(dropped) were not exported in time;"
          + " \(translations.recovered) were found in conntrack's table; \(LossAdvice.natBuffer)")
    }
    if translations.overflowed > 0 {
      lines.append(
        "not followed: \(translations.overflowed) translated connections, for which there was no room; "
          + LossAdvice.natConnections)
    }
    return lines
  }

  /// - Parameter advice: what helps against drops.
  static func lines(
    _ metered: MeteringStatistics, _ table: FlowTableStatistics, isLive: Bool, _ advice: String
  ) -> [String] {
    var lines = [
      "metered \(metered.meteredPackets) packets, \(metered.meteredOctets) octets in \(table.created) flows"
    ]
    let reasons = DecodeFailure.allCases.filter { metered[$0] > 0 }.map { "\(metered[$0]) \($0.text)" }
    if !reasons.isEmpty {
      lines.append("not metered: \(metered.unmeteredPackets) packets (\(reasons.joined(separator: ", ")))")
    }
    let remarks = DecodeRemark.allCases.filter { metered[$0] > 0 }.map { "\(metered[$0]) \($0.text)" }
    if !remarks.isEmpty { lines.append("metered with remarks: \(remarks.joined(separator: ", "))") }
    if metered.completedFragments + metered.orphanedFragments > 0 {
      lines.append(
        "later fragments: \(metered.completedFragments) counted to their datagram's flow,"
          + " \(metered.orphanedFragments) without a first one")
    }
    if metered.ownPackets > 0 { lines.append("own export left out: \(metered.ownPackets) packets") }
    if isLive || metered.kernelDrops + metered.interfaceDrops > 0 {
      lines.append(
        "lost before metering: \(metered.kernelDrops) packets dropped by the kernel,"
          + " \(metered.interfaceDrops) by the interface"
          + (metered.kernelDrops > 0 ? "; \(advice)" : ""))
    }
    if table.evicted > 0 {
      lines.append("table full: \(table.evicted) flows left early; \(LossAdvice.maxFlows)")
    }
    if table.lost.flows > 0 {
      lines.append("lost in the table: \(text(table.lost)), as the export did not keep up")
    }
    return lines
  }

  /// How often each rule was used.
  static func lines(_ aggregation: AggregationRules?, _ usage: [UInt64]) -> [String] {
    zip(aggregation?.rules ?? [], usage).map { "aggregation rule \($0): used \($1) times" }
  }

  static func line(_ sampling: Sampling, _ totals: (offered: FlowTotals, selected: FlowTotals)) -> String {
    let (offered, selected) = totals
    let packets = "\(selected.packets) of \(offered.packets) packets"
    switch sampling.method {
    case .deterministicFlows, .randomFlows:
      return "one flow in \(sampling.interval) is exported: \(selected.flows) of \(offered.flows) flows, \(packets)"
    case .hashedFlows: return "one flow in \(sampling.interval) is metered, by hash: \(packets)"
    case .packets: return "one packet in \(sampling.interval) is metered: \(packets)"
    }
  }

  static func lines(_ export: ExportStatistics, _ destination: ExportDestination) -> [String] {
    let files = export.files.map { " and \($0.complete) files" } ?? ""
    var lines = ["exported to \(destination): \(text(export.sent)) in \(export.messages) messages\(files)"]
    if export.filtered.flows > 0 {
      lines.append("filtered out for \(destination): \(text(export.filtered))")
    }
    if export.notRepresentable.flows > 0 {
      lines.append(
        "not exported to \(destination): \(text(export.notRepresentable)) of IPv6, which NetFlow v5 cannot carry")
    }
    if export.lost.flows > 0 || !export.errors.isEmpty {
      let kinds = export.errors.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
      lines.append(
        "lost on the way to \(destination): \(text(export.lost)) (messages not sent: \(kinds.joined(separator: ", ")))")
    }
    let events = export.natEvents
    if events.sent + events.lost + events.notRepresentable + events.filtered > 0 {
      lines.append(
        "NAT events to \(destination): \(events.sent) sent, \(events.lost) lost"
          + (events.filtered > 0 ? ", \(events.filtered) filtered out" : "")
          + (events.notRepresentable > 0 ? ", \(events.notRepresentable) of IPv6, which NetFlow v5 cannot carry" : ""))
    }
    if let delivery = export.delivery { lines += self.lines(delivery, destination) }
    if export.refusals > 0 {
      lines.append(
        "refused by \(destination): \(export.refusals) answers that nobody listens there, there is no way, or it takes only"
          + " shorter messages")
    }
    return lines
  }

  /// Of what is acknowledged.
  private static func lines(_ delivery: DeliveryStatistics, _ destination: ExportDestination) -> [String] {
    var lines: [String] = []
    if delivery.resentMessages > 0 {
      lines.append(
        "sent once more to \(destination): \(delivery.resentMessages) messages, as the connection broke"
          + " (\(delivery.connections) connections in all)")
    }
    if delivery.queued.flows.flows > 0 {
      lines.append("still on the way to \(destination): \(text(delivery.queued.flows))")
    }
    if let spool = delivery.spool, spool.written != RecordTotals() || spool.found != RecordTotals() {
      lines.append(
        "spool of \(destination): \(spool.found.flows.flows) flows found, \(spool.written.flows.flows) written,"
          + " \(spool.sent.flows.flows) sent from it, \(spool.waiting.flows.flows) wait in it")
    }
    return lines
  }

  private static func text(_ totals: FlowTotals) -> String {
    "\(totals.flows) flows, \(totals.packets) packets, \(totals.octets) octets"
  }
}

/// Shows how far a long read has come, on a terminal.
struct ReadingProgress {
  private let file: CaptureFile
  private var rounds = 0
  private var next = Timestamp.monotonicClock().advanced(byMilliseconds: 1000)

  init(_ file: CaptureFile) { self.file = file }

  /// Called after every batch: looks at the clock seldom, and writes twice a second.
  mutating func show(_ counters: MeteringCounters) {
    rounds &+= 1
    guard Console.errorIsTerminal, rounds % 64 == 0, let progress = file.progress, progress.size > 0 else { return }
    let now = Timestamp.monotonicClock()
    guard now >= next else { return }
    next = now.advanced(byMilliseconds: 500)
    let percent = progress.read * 100 / progress.size
    Console.progress("flowprobe: \(percent) % of \(file.name), \(counters.statistics.meteredPackets) packets")
  }
}
