// SPDX-License-Identifier: Apache-2.0

/// What the flow table did. Counters are totals since it was made.
public struct FlowTableStatistics: Sendable {
  /// Flows that are active now.
  public var active = 0
  /// Flow Records begun.
  public var created: UInt64 = 0
  /// Packets added to a Flow that was there.
  public var found: UInt64 = 0
  /// Index entries looked at that were another Flow's.
  public var searched: UInt64 = 0
  /// Flows that left early because the table was full (flowEndReason 5).
  public var evicted: UInt64 = 0
  /// Flow Records dropped because the exporter did not take them in time, and what they had counted.
  public var lost = FlowTotals()
  /// Flow Records that ended and sampling took, and what they counted; zero where the table does not sample.
  public var selected = FlowTotals()
  /// Flow Records that ended and sampling left out, and what they counted.
  public var leftOut = FlowTotals()
  /// Flow Records that were taken out, those that sampling left out with them, and what they had counted.
  public var taken = FlowTotals()
  /// Flow Records that have ended and wait to be taken, now.
  public var waiting = 0
  /// Entries of the index, used or not, now.
  public var indexEntries = 0
  /// The memory of those. Bytes.
  public var indexMemory: Int { indexEntries * MemoryLayout<UInt64>.stride }
  /// Memory in use for the index and for Flows, now and at any time before: none is given back. Bytes; where any Flow
  /// had a ``PacketDetail`` or labels, as if all had.
  public var memory = 0

  public init() {}

  /// Those that tell what a batch of packets has done.
  struct Progress {
    let searched, created, evicted: UInt64
    let lost: FlowTotals
  }

  @inline(__always)
  var progress: Progress { Progress(searched: searched, created: created, evicted: evicted, lost: lost) }

  package mutating func add(_ other: FlowTableStatistics) {
    active += other.active
    created &+= other.created
    found &+= other.found
    searched &+= other.searched
    evicted &+= other.evicted
    lost.add(other.lost)
    selected.add(other.selected)
    leftOut.add(other.leftOut)
    taken.add(other.taken)
    waiting += other.waiting
    indexEntries += other.indexEntries
    memory += other.memory
  }
}

/// A number of Flow Records and what they counted.
public struct FlowTotals: Hashable, Sendable {
  /// Flow Records.
  public var flows: UInt64 = 0
  /// What they counted (IE 2).
  public var packets: UInt64 = 0
  /// What they counted: IP octets (IE 1).
  public var octets: UInt64 = 0

  public init(flows: UInt64 = 0, packets: UInt64 = 0, octets: UInt64 = 0) {
    (self.flows, self.packets, self.octets) = (flows, packets, octets)
  }

  /// Adds others, component by component.
  @inline(__always)
  public mutating func add(_ other: FlowTotals) {
    flows &+= other.flows
    packets &+= other.packets
    octets &+= other.octets
  }

  /// Takes others away again, which were added.
  package mutating func remove(_ other: FlowTotals) {
    flows &-= other.flows
    packets &-= other.packets
    octets &-= other.octets
  }
}

/// What one batch of packets did to the table: for who keeps counters of a source.
public struct FlowTableUpdate: Sendable {
  /// Whether ended Flows should be taken out soon, because some stripe holds half of what may wait there.
  public var isCrowded = false
  /// Index entries looked at that were another Flow's.
  public var searched: UInt64 = 0
  /// Flow Records begun.
  public var created: UInt64 = 0
  /// Flows that left early because the table was full.
  public var evicted: UInt64 = 0
  /// Flow Records dropped because the exporter did not take them in time, and what they had counted.
  public var lost = FlowTotals()

  public init() {}

  /// Adds what a stripe counted between two moments.
  @inline(__always)
  mutating func add(from before: FlowTableStatistics.Progress, to after: borrowing FlowTableStatistics) {
    searched &+= after.searched &- before.searched
    created &+= after.created &- before.created
    evicted &+= after.evicted &- before.evicted
    lost.flows &+= after.lost.flows &- before.lost.flows
    lost.packets &+= after.lost.packets &- before.lost.packets
    lost.octets &+= after.lost.octets &- before.lost.octets
  }
}
