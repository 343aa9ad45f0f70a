// SPDX-License-Identifier: Apache-2.0

/// What a Metering Process saw. Counters are totals since it started.
///
/// `observed = metered + own + unselected + not metered, by reason + fragments that wait`: no packet is missing from
/// the sum.
public struct MeteringStatistics: Sendable {
  /// Packets that the source handed over.
  public var observedPackets: UInt64 = 0
  /// Packets that were added to a Flow.
  public var meteredPackets: UInt64 = 0
  /// IP octets of those.
  public var meteredOctets: UInt64 = 0
  /// flowprobe's own export datagrams, left out.
  public var ownPackets: UInt64 = 0
  /// Packets that sampling left out.
  public var unselectedPackets: UInt64 = 0
  /// Later fragments that were given their first one's ports.
  public var completedFragments: UInt64 = 0
  /// Later fragments metered with ports 0, since their first one never came.
  public var orphanedFragments: UInt64 = 0
  /// Packets that the kernel dropped for want of buffer space before the source could read them.
  public var kernelDrops: UInt64 = 0
  /// Packets that the interface or its driver dropped.
  public var interfaceDrops: UInt64 = 0
  /// Entries of the table's index that were looked at for these packets and were another Flow's.
  public var searchedEntries: UInt64 = 0
  /// Flow Records that these packets began; all other metered ones were added to one that was there.
  public var createdFlows: UInt64 = 0
  /// Flows that left the full table early to make room for these packets.
  public var evictedFlows: UInt64 = 0
  /// Flow Records that these packets ended and the exporter did not take in time, and what they had counted.
  public var lostInTable = FlowTotals()

  // By raw value; a case beyond the room traps in the first test that counts it.
  private var failures = InlineArray<8, UInt64>(repeating: 0)
  private var remarks = InlineArray<4, UInt64>(repeating: 0)

  public init() {}

  /// Packets not metered for this reason.
  public subscript(failure: DecodeFailure) -> UInt64 {
    get { failures[Int(failure.rawValue)] }
    set { failures[Int(failure.rawValue)] = newValue }
  }

  /// Packets metered with this remark.
  public subscript(remark: DecodeRemark) -> UInt64 {
    get { remarks[Int(remark.rawValue)] }
    set { remarks[Int(remark.rawValue)] = newValue }
  }

  /// Packets not metered, for whatever reason.
  public var unmeteredPackets: UInt64 { DecodeFailure.allCases.reduce(0) { $0 &+ self[$1] } }

  mutating func add(_ update: FlowTableUpdate) {
    searchedEntries &+= update.searched
    createdFlows &+= update.created
    evictedFlows &+= update.evicted
    lostInTable.add(update.lost)
  }

  /// Adds another source's counters: the sum over all.
  public mutating func add(_ other: MeteringStatistics) {
    observedPackets &+= other.observedPackets
    meteredPackets &+= other.meteredPackets
    meteredOctets &+= other.meteredOctets
    ownPackets &+= other.ownPackets
    unselectedPackets &+= other.unselectedPackets
    completedFragments &+= other.completedFragments
    orphanedFragments &+= other.orphanedFragments
    kernelDrops &+= other.kernelDrops
    interfaceDrops &+= other.interfaceDrops
    searchedEntries &+= other.searchedEntries
    createdFlows &+= other.createdFlows
    evictedFlows &+= other.evictedFlows
    lostInTable.add(other.lostInTable)
    for failure in DecodeFailure.allCases { self[failure] &+= other[failure] }
    for remark in DecodeRemark.allCases { self[remark] &+= other[remark] }
  }
}
