// SPDX-License-Identifier: Apache-2.0

/// What exports to an entry of the list of destinations.
public struct EntryExporter {
  /// The entry.
  public let entry: DestinationEntry
  /// What takes the records.
  public let consumer: any FlowRecordConsumer
  /// One for each of the entry's destinations, in their order.
  public let exporters: [CollectorExporter]

  /// Nil where the entry is one destination.
  public var group: DestinationGroup? {
    if case .group(let group) = entry { group } else { nil }
  }

  /// What exports to an entry.
  ///
  /// - Parameters:
  ///   - entry: one destination or a group.
  ///   - makeExporter: makes the exporter of a destination.
  public init(_ entry: DestinationEntry, _ makeExporter: (ExportDestination) -> CollectorExporter) {
    self.entry = entry
    exporters = entry.destinations.map(makeExporter)
    consumer =
      switch entry {
      case .destination: exporters[0]
      case .group(let group): GroupExporter(group.mode, exporters)
      }
  }
}
