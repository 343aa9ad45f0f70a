// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// What the program is, holds and did until one moment: what the statistics files show.
///
/// Counters are totals since the start. The parts are read one after the other while they go on, so figures of two parts
/// may differ by what came in between.
struct ProbeStatistics: Sendable {
  /// A thread that meters: its source and what it counted.
  struct Meter: Sendable {
    var source: String
    /// Which of the source's threads it is, from 1; nil: the only one.
    var number: Int?
    /// Whether it captures frames: they may be for other hosts, and not of IP.
    var captures = false
    var counters = MeteringStatistics()

    /// `eth0`, or of several `eth0/2`.
    var name: String { number.map { "\(source)/\($0)" } ?? source }
  }

  struct Destination: Sendable {
    var address: String
    /// The group that it is a member of, as it was given; nil: none.
    var group: String?
    var export = ExportStatistics()
  }

  struct NAT: Sendable {
    var connections = NATStatistics()
    /// Events that were dropped as the export did not keep up.
    var dropped: UInt64 = 0
  }

  var program = Program()
  /// False of what is written when all is done.
  var isRunning = true
  var meters: [Meter] = []
  /// What threads counted that are there no longer.
  var pastMetering = MeteringStatistics()
  var table = FlowTableStatistics()
  var peak = FlowPeak.Height()
  var pass = ExportPass()
  var destinations: [Destination] = []
  /// What was exported to destinations that are there no longer.
  var pastExports = ExportStatistics()
  /// Whether NAT events are exported.
  var exportsNATEvents = false
  /// Nil where nobody follows translations.
  var nat: NAT?
  /// How often each aggregation rule was used.
  var aggregationUsage: [UInt64] = []
  /// By the monotonic clock.
  var moment = Timestamp(milliseconds: 0)

  /// What the program is and how it is configured.
  struct Program: Sendable {
    var version = ""
    /// Tells one build from another.
    var build = ""
    /// By the wall clock.
    var started = Timestamp(milliseconds: 0)
    /// How the first destination is exported to.
    var export = ExportConfiguration()
    var expiration = FlowExpiration()
    var maxFlows = 0
    var isPromiscuous = false
    var recordsMACAddresses = false
    var sampling: Sampling?
    var aggregation: AggregationRules?
    var interfaceIndexRules: InterfaceIndexRules?
  }
}

/// What the files tell that follows from the rest.
extension ProbeStatistics {
  /// Over all threads that there were.
  var metered: MeteringStatistics {
    meters.reduce(into: pastMetering) { $0.add($1.counters) }
  }

  /// What each source's threads counted, in sum.
  var sources: [Meter] {
    var sources: [Meter] = []
    for meter in meters {
      if let place = sources.firstIndex(where: { $0.source == meter.source }) {
        sources[place].counters.add(meter.counters)
      } else {
        sources.append(Meter(source: meter.source, captures: meter.captures, counters: meter.counters))
      }
    }
    return sources
  }

  /// Metered and not taken out of the table yet.
  var held: (packets: UInt64, octets: UInt64) {
    let metered = metered
    return (
      metered.meteredPackets.less(table.taken.packets &+ table.lost.packets),
      metered.meteredOctets.less(table.taken.octets &+ table.lost.octets)
    )
  }

  /// Taken out of the table and on their way: of the destination where that is most.
  var pending: (packets: UInt64, octets: UInt64) {
    let pending = destinations.map(\.export.pending)
    return (pending.map(\.packets).max() ?? 0, pending.map(\.octets).max() ?? 0)
  }

  /// Summed over the destinations that there were.
  var exported: (messages: UInt64, octets: UInt64, sent: FlowTotals, lost: FlowTotals, errors: UInt64) {
    var sum = (messages: UInt64(0), octets: UInt64(0), sent: FlowTotals(), lost: FlowTotals(), errors: UInt64(0))
    for export in destinations.map(\.export) + [pastExports] {
      sum.messages &+= export.messages
      sum.octets &+= export.octets
      sum.sent.add(export.sent)
      sum.lost.add(export.lost)
      sum.errors &+= export.failedMessages &+ export.refusals
    }
    return sum
  }

  /// The most templates that any destination was told of.
  var templates: Int { destinations.map(\.export.templates).max() ?? 0 }
}

extension MeteringStatistics {
  /// Packets of IP that could not be metered.
  var undecodable: UInt64 { unmeteredPackets &- self[.notIP] }

  /// Packets that were lost before the program saw them.
  var droppedBefore: UInt64 { kernelDrops &+ interfaceDrops }

  /// Packets that no record will tell of. Their octets are known of ``lostInTable`` alone.
  var dropped: UInt64 { droppedBefore &+ undecodable &+ lostInTable.packets }

  /// Packets that were added to a Flow that was there.
  var found: UInt64 { meteredPackets.less(createdFlows) }

  /// How many entries of the index a packet's lookup took; 1 is the best, and what it is without packets.
  var metric: Double {
    meteredPackets > 0 ? Double(searchedEntries &+ meteredPackets) / Double(meteredPackets) : 1
  }
}

extension ExportStatistics {
  /// Messages that were lost for reasons that ipt_NETFLOW has no figure for.
  var otherErrors: UInt64 {
    failedMessages &- errors[.connect, default: 0] &- errors[.bufferFull, default: 0]
  }
}

extension FlowTotals {
  func less(_ other: FlowTotals) -> FlowTotals {
    FlowTotals(
      flows: flows.less(other.flows), packets: packets.less(other.packets), octets: octets.less(other.octets))
  }
}

extension UInt64 {
  /// The difference; 0 where the other is larger, since it was read a moment later.
  func less(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
