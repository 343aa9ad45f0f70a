// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// Figures of destinations whose Collector acknowledges, and of their spools.
extension PrometheusText {
  mutating func addDelivery(_ destinations: [ProbeStatistics.Destination]) {
    let deliveries = destinations.compactMap { destination in
      destination.export.delivery.map { (destination.address, $0) }
    }
    guard !deliveries.isEmpty else { return }
    add("export_connections_total", .counter, "Connections that came to be.", deliveries) { $0.connections }
    add(
      "export_resent_messages_total", .counter, "Messages that were sent once more, as the connection broke.",
      deliveries
    ) { $0.resentMessages }
    add("export_queue_bytes", .gauge, "Octets of messages that wait in memory.", deliveries) { $0.queueOctets }
    add("export_queue_peak_bytes", .gauge, "The most that waited.", deliveries) { $0.queuePeak }
    add("export_queue_limit_bytes", .gauge, "The most that may wait.", deliveries) { $0.queueCapacity }
    let spools = deliveries.compactMap { address, delivery in delivery.spool.map { (address, $0) } }
    guard !spools.isEmpty else { return }
    add("export_spool_bytes", .gauge, "Octets of the spool's files.", spools) { $0.octets }
    add("export_spool_limit_bytes", .gauge, "The most that they may have.", spools) { $0.capacity }
    add("export_spool_flows", .gauge, "Flow records that wait in the spool.", spools) { $0.waiting.flows.flows }
    add("export_spool_found_flows_total", .counter, "Flow records that an earlier run had left.", spools) {
      $0.found.flows.flows
    }
    add("export_spool_written_flows_total", .counter, "Flow records written to the spool.", spools) {
      $0.written.flows.flows
    }
    add("export_spool_sent_flows_total", .counter, "Flow records sent from the spool.", spools) {
      $0.sent.flows.flows
    }
    add("export_spool_failures_total", .counter, "Times that the spool could not be written, read or emptied.", spools)
    {
      $0.failures
    }
    add("export_spool_torn_files_total", .counter, "Files with something in them that is no message.", spools) {
      $0.unreadable
    }
  }

  private mutating func add<Figures>(
    _ name: String, _ kind: Kind, _ help: String, _ figures: [(String, Figures)],
    _ value: (Figures) -> some BinaryInteger
  ) {
    add(name, kind, help, figures.map { ([("destination", $0.0)], "\(value($0.1))") })
  }
}
