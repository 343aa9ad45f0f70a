// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// The parts of a running ``Probe`` as they are now, and what those counted that have gone.
///
/// A change of the configuration replaces some; who reads takes a copy and asks the parts for their statistics.
struct ProbeParts: @unchecked Sendable {
  var configuration: ProbeConfiguration
  var sources: [MeteredSource] = []
  /// They belong to the exporting thread; others read their statistics.
  var destinations: [EntryExporter] = []
  /// Nil where nobody follows translations.
  var follower: ConnectionFollower?
  /// What those who meter add to, or will from their next round on.
  var table: FlowTable
  /// The table before, until it is empty.
  var leavingTable: FlowTable?

  /// What sources, tables and Collectors counted that are there no longer.
  var past = Past()

  struct Past {
    var metering = MeteringStatistics()
    var table = FlowTableStatistics()
    var exports = ExportStatistics()
    /// Those that the last change removed.
    var collectors: [CollectorExporter] = []
    /// Where the numbering of messages goes on, should there be such a Collector again.
    var sequences: [StreamIdentity: UInt32] = [:]
    /// What had been offered and selected when the sampling began that holds now.
    var offered = FlowTotals()
    var selected = FlowTotals()
  }

  /// One for each destination, those of groups too.
  var collectors: [CollectorExporter] { destinations.flatMap(\.exporters) }

  /// Of all sources since the start.
  var metered: MeteringStatistics {
    var metered = sources.total
    metered.add(past.metering)
    return metered
  }

  /// Of all tables since the start.
  var tableStatistics: FlowTableStatistics {
    var statistics = table.statistics
    if let leavingTable { statistics.add(leavingTable.statistics) }
    statistics.add(past.table)
    return statistics
  }

  /// What the sampling of now was given, and what it took.
  var sampled: (offered: FlowTotals, selected: FlowTotals) {
    guard let sampling = configuration.table.sampling else { return (FlowTotals(), FlowTotals()) }
    let (offered, selected) = sampling.totals(metered, tableStatistics)
    return (offered.less(past.offered), selected.less(past.selected))
  }
}

/// What a collector tells streams of messages apart by.
struct StreamIdentity: Hashable {
  private let target: DestinationTarget
  private let number: Int
  private let exportProtocol: ExportProtocol
  private let observationDomain: UInt32

  init(_ collector: CollectorExporter) {
    (target, number) = (collector.destination.target, collector.destination.number)
    exportProtocol = collector.destination.configuration.exportProtocol
    observationDomain = collector.destination.configuration.observationDomain
  }
}

extension FlowTableStatistics {
  /// Without what is there now: what an emptied table leaves to the totals.
  var withoutContents: FlowTableStatistics {
    var statistics = self
    (statistics.active, statistics.waiting, statistics.indexEntries, statistics.memory) = (0, 0, 0, 0)
    return statistics
  }
}
