// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import Synchronization

/// What the exporting thread takes over when the configuration changes.
struct Handover: @unchecked Sendable {
  var configuration: ProbeConfiguration
  /// Those that meter from now on.
  var sources: [MeteredSource]
  var destinations: [EntryExporter]
  var follower: ConnectionFollower?
  /// What they meter into; another than before where the Flows of before are all to be exported first.
  var table: FlowTable
  /// Whether they are chosen in another way than before.
  var hasOtherSampling: Bool
  let done = Completion()

  /// Whether nobody adds to the table of before any more.
  var isReady: Bool { sources.allSatisfy { !$0.hasChangeAhead } }
}

/// Says that something is done, to one who waits for it.
final class Completion: Sendable {
  private let isDone = Atomic<Bool>(false)
  private let wake = WakeUp()

  /// Any thread.
  func call() {
    isDone.store(true, ordering: .releasing)
    wake.call()
  }

  /// - Parameter isOver: asked now and then: nobody will do it any more.
  func wait(unless isOver: () -> Bool) {
    while !isDone.load(ordering: .acquiring), !isOver() { wake.wait(.milliseconds(200)) }
  }
}

extension Probe {
  /// Takes over what a change of the configuration has brought, once nobody adds to the table of before any more: what
  /// that holds is exported first, as it was to be. On the exporting thread, between two passes.
  func takeOver() {
    guard let next = handover.withLock({ $0 }),
      next.isReady || metersHaveStopped.load(ordering: .acquiring)
    else { return }
    let isOther = exporting.table !== next.table
    exportAndMeasure(at: liveInstant, everything: isOther)
    let removed = parts.withLock { parts in
      if isOther { parts.replacedTable(exporting.table, hasOtherSampling: next.hasOtherSampling) }
      return parts.replaceDestinations(by: next.destinations)
    }
    for collector in removed {
      let goesOn = next.destinations.flatMap(\.exporters).contains {
        $0.destination.description == collector.destination.description
      }
      Console.say(
        goesOn ? "another way to export to \(collector.destination)" : "no longer exporting to \(collector.destination)"
      )
      collector.leave()
      Summary.print(collector)
    }
    exporting.table = next.table
    if !next.destinations.isEmpty { exporting.consumers = consumers(next.destinations, next.configuration) }
    exporting.translations = next.configuration.completesRecords ? next.follower?.translations : nil
    exporting.natEvents = next.follower?.events
    followInterfaces(of: next.sources, next.configuration)
    tellOfInterfaces()
    handover.withLock { $0 = nil }
    next.done.call()
  }
}

extension ProbeParts {
  /// The table before is empty, and goes.
  fileprivate mutating func replacedTable(_ table: FlowTable, hasOtherSampling: Bool) {
    past.table.add(table.statistics.withoutContents)
    leavingTable = nil
    // The new one has held Flows for a moment; what sampling took of them is its own.
    if let sampling = configuration.table.sampling, hasOtherSampling {
      (past.offered, past.selected) = sampling.totals(metered, past.table)
    }
  }

  /// Returns those that are no more. They stay until the next change, with their addresses: datagrams of theirs may still
  /// be on their way to those who meter. Who still delivers what waits then stays on.
  fileprivate mutating func replaceDestinations(by next: [EntryExporter]) -> [CollectorExporter] {
    let (before, now) = (collectors, next.flatMap(\.exporters))
    let removed = before.filter { old in !now.contains { $0 === old } }
    let ended = past.collectors.filter(\.hasEnded)
    for old in ended {
      old.retire()
      past.exports.add(old.statistics)
    }
    past.collectors.removeAll { old in ended.contains { $0 === old } }
    for old in removed {
      // Who never stops changing destinations has the numbering of some begin anew.
      if past.sequences.count >= 1024 { past.sequences = [:] }
      past.sequences[StreamIdentity(old)] = old.sequence
    }
    for new in now where !before.contains(where: { $0 === new }) {
      if let sequence = past.sequences[StreamIdentity(new)] { new.sequence = sequence }
    }
    past.collectors += removed
    destinations = next
    return removed
  }
}
