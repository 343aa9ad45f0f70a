// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// All statistics in Prometheus' text format (version 0.0.4), for the textfile collector of its node exporter.
///
/// Each loss there is has a counter: before metering, in the decoder, in the table and on the way to each destination.
struct PrometheusText {
  static func text(_ statistics: ProbeStatistics) -> String {
    var text = PrometheusText()
    text.addProgram(statistics)
    text.addMetering(statistics)
    text.addTable(statistics)
    text.addExport(statistics)
    if let nat = statistics.nat { text.addNAT(nat) }
    return text.text
  }

  private var text = ""

  // MARK: The format

  enum Kind: String { case counter, gauge }
  typealias Labels = [(name: String, value: String)]

  /// One metric: its samples with their labels.
  mutating func add(
    _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: Labels, value: String)]
  ) {
    guard !samples.isEmpty else { return }
    text += "# HELP flowprobe_\(name) \(help)\n# TYPE flowprobe_\(name) \(kind.rawValue)\n"
    for (labels, value) in samples {
      let inner = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
      text += "flowprobe_\(name)\(inner.isEmpty ? "" : "{\(inner)}") \(value)\n"
    }
  }

  private mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
    add(name, kind, help, [([], "\(value)")])
  }

  private static func escaped(_ value: String) -> String {
    value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  // MARK: The metrics

  private mutating func addProgram(_ statistics: ProbeStatistics) {
    let program = statistics.program
    add(
      "build_info", .gauge, "Which flowprobe this is.",
      [([("version", program.version), ("build", program.build)], "1")])
    add("up", .gauge, "1 while flowprobe runs, 0 when it has ended in good order.", statistics.isRunning ? 1 : 0)
    let started = program.started.milliseconds
    add(
      "start_time_seconds", .gauge, "When flowprobe started, since 1970.",
      [([], "\(started / 1000)." + "\(1000 + started % 1000)".dropFirst())])
  }

  /// A counter of each source.
  private mutating func add(
    _ name: String, _ help: String, _ meters: [ProbeStatistics.Meter], _ value: (MeteringStatistics) -> UInt64
  ) {
    add(name, .counter, help, meters.map { ([("source", $0.source)], "\(value($0.counters))") })
  }

  /// A counter of each source and reason.
  private mutating func add<Reason>(
    _ name: String, _ help: String, _ meters: [ProbeStatistics.Meter], _ reasons: [(reason: Reason, name: String)],
    _ value: (MeteringStatistics, Reason) -> UInt64
  ) {
    add(
      name, .counter, help,
      meters.flatMap { meter in
        reasons.map { ([("source", meter.source), ("reason", $0.name)], "\(value(meter.counters, $0.reason))") }
      })
  }

  private mutating func addMetering(_ statistics: ProbeStatistics) {
    let meters = statistics.sources
    add("observed_packets_total", "Packets that a source handed over.", meters) { $0.observedPackets }
    add("metered_packets_total", "Packets that were added to a flow.", meters) { $0.meteredPackets }
    add("metered_bytes_total", "IP octets of those.", meters) { $0.meteredOctets }
    add(
      "dropped_packets_total",
      "Packets lost before flowprobe saw them: no room in the kernel's buffer, or dropped by the interface.", meters,
      [(\MeteringStatistics.kernelDrops, "kernel"), (\.interfaceDrops, "interface")]
    ) { $0[keyPath: $1] }
    add(
      "unmetered_packets_total", "Packets that are in no flow, by what is wrong with them.", meters,
      DecodeFailure.allCases.map { ($0, Self.snakeCase("\($0)")) }
    ) { $0[$1] }
    add(
      "remarked_packets_total", "Packets that were metered although something was odd about them.", meters,
      DecodeRemark.allCases.map { ($0, Self.snakeCase("\($0)")) }
    ) { $0[$1] }
    add("own_packets_total", "Packets of flowprobe's own export, left out.", meters) { $0.ownPackets }
    add("completed_fragments_total", "Later fragments counted to their datagram's flow.", meters) {
      $0.completedFragments
    }
    add("orphaned_fragments_total", "Later fragments metered without ports, as no first one came.", meters) {
      $0.orphanedFragments
    }
    add("created_flows_total", "Flow records begun.", meters) { $0.createdFlows }
    add("evicted_flows_total", "Flows that left early as the table was full.", meters) { $0.evictedFlows }
    add("searched_entries_total", "Entries of the table's index looked at that were another flow's.", meters) {
      $0.searchedEntries
    }
    add("table_lost_flows_total", "Flow records lost as the export did not keep up.", meters) { $0.lostInTable.flows }
    add("table_lost_packets_total", "Packets that those had counted.", meters) { $0.lostInTable.packets }
    add("table_lost_bytes_total", "IP octets that those had counted.", meters) { $0.lostInTable.octets }
  }

  private mutating func addTable(_ statistics: ProbeStatistics) {
    let table = statistics.table
    add("active_flows", .gauge, "Flows that are active.", table.active)
    add("active_flows_peak", .gauge, "The most that were active at once.", statistics.peak.flows)
    add("active_flows_limit", .gauge, "The most that may be active (--maxflows).", statistics.program.maxFlows)
    add("waiting_flows", .gauge, "Flows that have ended and wait for the export.", table.waiting)
    add("taken_flows_total", .counter, "Flow records taken out of the table.", table.taken.flows)
    add("table_memory_bytes", .gauge, "Memory in use for flows and their index.", table.memory)
    add("table_index_entries", .gauge, "Entries of the index, used or not.", table.indexEntries)
    add("table_held_packets", .gauge, "Packets metered whose flows are in the table.", statistics.held.packets)
    add("table_held_bytes", .gauge, "IP octets of those.", statistics.held.octets)
  }

  /// A figure of each destination.
  private mutating func add(
    _ name: String, _ kind: Kind, _ help: String, _ destinations: [ProbeStatistics.Destination],
    _ value: (ExportStatistics) -> some BinaryInteger
  ) {
    add(name, kind, help, destinations.map { ([("destination", $0.address)], "\(value($0.export))") })
  }

  private mutating func addExport(_ statistics: ProbeStatistics) {
    let all = statistics.destinations
    add("export_connected", .gauge, "Whether there is a socket, or a file that is written.", all) {
      $0.isConnected ? 1 : 0
    }
    add("export_messages_total", .counter, "Messages sent.", all) { $0.messages }
    add("export_bytes_total", .counter, "Octets of those, without headers below IPFIX or NetFlow.", all) { $0.octets }
    add("export_flows_total", .counter, "Flow records sent.", all) { $0.sent.flows }
    add("export_flow_packets_total", .counter, "Packets that those had counted.", all) { $0.sent.packets }
    add("export_flow_bytes_total", .counter, "IP octets that those had counted.", all) { $0.sent.octets }
    let reasons: [(ExportError.Kind, String)] = ExportError.Kind.allCases.map { ($0, Self.snakeCase($0.rawValue)) }
    add(
      "export_lost_messages_total", .counter,
      "Messages that could not be sent, or could not wait: by what was in the way.",
      all.flatMap { destination in
        reasons.map {
          (
            [("destination", destination.address), ("reason", $0.1)],
            "\(destination.export.errors[$0.0, default: 0])"
          )
        }
      })
    add("export_lost_flows_total", .counter, "Flow records in those.", all) { $0.lost.flows }
    add("export_lost_flow_packets_total", .counter, "Packets that those had counted.", all) { $0.lost.packets }
    add("export_lost_flow_bytes_total", .counter, "IP octets that those had counted.", all) { $0.lost.octets }
    add(
      "export_refusals_total", .counter,
      "Messages that came back: nobody listens there, there is no way, or it takes only shorter ones.", all
    ) { $0.refusals }
    add("export_unrepresentable_flows_total", .counter, "Flow records that the protocol cannot carry.", all) {
      $0.notRepresentable.flows
    }
    add("export_filtered_flows_total", .counter, "Flow records that the destination's filter does not take.", all) {
      $0.filtered.flows
    }
    add(
      "export_in_use", .gauge, "Whether records go to the destination now, of those that are members of groups.",
      all.compactMap { destination in
        destination.group.map {
          ([("destination", destination.address), ("group", $0)], destination.export.isInUse ? "1" : "0")
        }
      })
    add("export_failed_connects_total", .counter, "Attempts to open a socket or a file that failed.", all) {
      $0.failedAttempts
    }
    add("export_templates", .gauge, "Templates announced.", all) { $0.templates }
    add("export_send_buffer_bytes", .gauge, "The socket's send buffer.", all) { $0.sendBuffer }
    add("export_send_queue_bytes", .gauge, "What of it is in use.", all) { $0.sendQueue }
    add("export_send_queue_peak_bytes", .gauge, "The most that was in use.", all) { $0.sendQueuePeak }
    let files = all.filter { $0.export.files != nil }
    add("export_files_total", .counter, "Files that are complete.", files) { $0.files?.complete ?? 0 }
    add("export_unfinished_files", .gauge, "Files that could not be completed, and are hidden.", files) {
      $0.files?.unfinished ?? 0
    }
    add("export_pending_flows", .gauge, "Flow records on the way: in unfinished messages, queue and spool.", all) {
      $0.pending.flows
    }
    addDelivery(all)
    guard statistics.exportsNATEvents else { return }
    add("export_nat_events_total", .counter, "NAT events sent.", all) { $0.natEvents.sent }
    add("export_lost_nat_events_total", .counter, "NAT events whose message could not be sent.", all) {
      $0.natEvents.lost
    }
    add("export_filtered_nat_events_total", .counter, "NAT events that the destination's filter does not take.", all) {
      $0.natEvents.filtered
    }
    add("export_unrepresentable_nat_events_total", .counter, "NAT events that the protocol cannot carry.", all) {
      $0.natEvents.notRepresentable
    }
  }

  private mutating func addNAT(_ nat: ProbeStatistics.NAT) {
    let connections = nat.connections
    add("nat_connections", .gauge, "Translated connections that are active.", connections.active)
    add(
      "nat_events_total", .counter, "NAT events, by what happened to the connection.",
      [([("event", "create")], "\(connections.created)"), ([("event", "delete")], "\(connections.deleted)")])
    add(
      "nat_recovered_events_total", .counter, "Of those, found by looking through conntrack's table.",
      connections.recovered)
    add("nat_overruns_total", .counter, "Times that the kernel had no room for events.", connections.overruns)
    add(
      "nat_overflowed_connections_total", .counter, "Translated connections for which there was no room.",
      connections.overflowed)
    add("nat_lost_events_total", .counter, "NAT events lost as the export did not keep up.", nat.dropped)
  }

  /// `ipv4HeaderTruncated` as `ipv4_header_truncated`.
  private static func snakeCase(_ name: String) -> String {
    var text = ""
    var previousIsCapital = true
    for character in name {
      if character.isUppercase, !previousIsCapital { text += "_" }
      previousIsCapital = character.isUppercase
      text += character.lowercased()
    }
    return text
  }
}
