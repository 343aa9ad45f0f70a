// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Synchronization

/// Changing the configuration while packets come: nothing that was metered is lost, and no packet goes unmetered.
///
/// What a change needs is opened first; where that fails everything stays as it was. Then those who meter change at
/// their next round, and the exporting thread takes over between two passes: see ``Handover``.
extension Probe {
  /// Makes the configuration this one, as far as it can be done without a restart.
  ///
  /// Main thread, or any other that neither meters nor exports; whoever calls it holds ``changing``.
  ///
  /// - Returns: options that are others there, and take a restart.
  func change(to wanted: ProbeConfiguration) throws(ChangeRefusal) -> [String] {
    guard !isStopping.load(ordering: .relaxed) else { throw ChangeRefusal(description: "flowprobe is stopping") }
    let now = parts.withLock { $0 }
    var next = wanted
    let fixed = try next.keepWhatIsFixed(of: now.configuration)
    let lacking = next.capabilitiesToOpen(beside: now.configuration).subtracting(.permitted)
      .intersection(Privileges.givenUp.withLock { $0 })
    guard lacking.isEmpty else {
      throw ChangeRefusal(
        description: "new sources take \(lacking.names), which was given up at the start; start flowprobe anew, or with"
          + " --keep-capabilities all")
    }
    var opened = Opened(follower: now.follower, table: now.table)
    do {
      try open(next, now, &opened)
    } catch {
      opened.close(keeping: now.follower)
      // What they have metered meanwhile is in the table that stays.
      if opened.table === now.table { parts.withLock { $0.past.metering.add(opened.new.total) } }
      throw ChangeRefusal(description: "\(error)")
    }
    // From here on nothing is refused.
    let removed = now.sources.filter { old in !opened.sources.contains { $0 === old } }
    let handover = Handover(
      configuration: next, sources: opened.sources, destinations: opened.destinations,
      follower: opened.follower, table: opened.table,
      hasOtherSampling: next.table.sampling != now.configuration.table.sampling)
    let keepsTable = opened.table === now.table
    parts.withLock {
      $0.configuration = next
      $0.sources = opened.sources + removed
      $0.follower = opened.follower
      if !keepsTable { ($0.leavingTable, $0.table) = (now.table, opened.table) }
      if let sampling = next.table.sampling, handover.hasOtherSampling {
        ($0.past.offered, $0.past.selected) = sampling.totals($0.metered, $0.tableStatistics)
      }
    }
    if keepsTable, next.table.expiration != now.configuration.table.expiration {
      opened.table.setExpiration(next.table.expiration, at: clock.now)
    }
    opened.follower?.translations.setMemory(next.translations.memory)
    if !keepsTable || next.selection.aggregationUsage !== now.configuration.selection.aggregationUsage {
      for source in opened.sources where !opened.isNew(source) {
        source.change(to: opened.table, next.selection)
      }
    }
    for source in opened.sources { source.setPromiscuous(next.capture.promiscuous) }
    for source in removed { source.stop() }
    for source in removed { source.join() }
    parts.withLock {
      $0.past.metering.add(removed.total)
      $0.sources = opened.sources
    }
    if let follower = now.follower, follower !== opened.follower {
      follower.stop()
      follower.join()
    }
    self.handover.withLock { $0 = handover }
    wake.call()
    handover.done.wait { exportHasEnded.load(ordering: .acquiring) }
    return fixed
  }

  /// Opens and starts what `next` has and the probe has not.
  private func open(_ next: ProbeConfiguration, _ now: ProbeParts, _ opened: inout Opened) throws {
    let before = now.configuration
    opened.destinations = try makeExporters(next, keeping: now.collectors)
    if next.table.isOther(than: before.table) { opened.table = try FlowTable(next.table) }
    if next.exportsNATEvents != before.exportsNATEvents || next.followsConnections != before.followsConnections {
      opened.follower = next.followsConnections ? try ConnectionFollower(next, clock: clock) : nil
      // Groups that are listened to were told at their start what the kernel shall attach to packets.
      if (now.follower?.untold ?? opened.follower?.untold) != nil, now.sources.contains(where: \.isGroup) {
        throw ChangeRefusal(
          description: "conntrack makes no events here, and NFLOG groups are asked instead: start again")
      }
    }
    guard case .live(let origins) = next.source else { return }
    var threads = 0
    for origin in origins {
      if let same = now.sources.first(where: { $0.origin == origin }) {
        opened.sources.append(same)
        threads += same.lanes.count
        continue
      }
      let source = try open(origin, next, opened.table, opened.follower?.untold)
      opened.sources.append(source)
      opened.new.append(source)
      try start(source, behind: threads, next)
      threads += source.lanes.count
    }
    if opened.follower !== now.follower { try opened.follower?.start(isCrowded: wake.call) }
  }

  /// What a change has opened so far.
  private struct Opened {
    var follower: ConnectionFollower?
    var table: FlowTable
    /// In the configuration's order; those of before among them.
    var sources: [MeteredSource] = []
    var new: [MeteredSource] = []
    var destinations: [EntryExporter] = []

    func isNew(_ source: MeteredSource) -> Bool { new.contains { $0 === source } }

    func close(keeping known: ConnectionFollower?) {
      for source in new { source.stop() }
      for source in new { source.join() }
      guard let follower, follower !== known else { return }
      follower.stop()
      follower.join()
    }
  }
}

extension FlowTable.Configuration {
  /// Whether it takes another table; other timeouts do not.
  fileprivate func isOther(than other: FlowTable.Configuration) -> Bool {
    maxFlows != other.maxFlows || indexSize != other.indexSize || sampling != other.sampling
  }
}
