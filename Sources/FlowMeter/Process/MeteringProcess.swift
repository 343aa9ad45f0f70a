// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates once warm, throws an existential or logs; the clock is read once
// a batch.

internal import Synchronization

/// A Metering Process (RFC 5470 section 5.3): takes packets from one source, and adds them to the flow table.
///
/// Not thread-safe: one thread calls ``meter(timeout:)`` again and again. ``counters`` may be read, and
/// ``change(to:_:)`` called, by any.
public final class MeteringProcess {
  private let source: any PacketSource
  private var table: FlowTable
  private var batch: PacketBatch
  /// What was counted so far; any thread.
  public let counters: MeteringCounters
  private let clock: MeteringClock?
  private var selection: PacketSelection
  /// What the rules were used by the batch at hand.
  private var usage: [UInt64]
  private var nextDropReading = Timestamp(milliseconds: 0)
  private let change = Mutex<(table: FlowTable, selection: PacketSelection)?>(nil)
  private let isChanging = Atomic<Bool>(false)

  /// - Parameters:
  ///   - source: where the packets come from.
  ///   - table: where they are added to their Flows; several processes may share it.
  ///   - fragments: what is done with the later fragments of a datagram; default: they are counted to its first one's
  ///     Flow.
  ///   - recordedLabels: how many entries of an MPLS label stack are recorded, from the top; default 0.
  ///   - selection: which packets are metered, and how keys are aggregated; default: all, and not at all.
  ///   - counters: where it counts; default: counters of its own.
  ///   - ownSessions: flowprobe's own export, which is left out; nil where it cannot come by this source.
  ///   - clock: tells the time where no packets do; nil where packets alone tell it: in a file.
  public init(
    source: any PacketSource, table: FlowTable, fragments: FragmentHandling = .track,
    recordedLabels: Int = 0, selection: PacketSelection = PacketSelection(),
    counters: MeteringCounters = MeteringCounters(),
    ownSessions: OwnSessions? = nil, clock: MeteringClock? = nil
  ) {
    self.clock = clock
    self.selection = selection
    usage = Array(repeating: 0, count: selection.aggregation?.rules.count ?? 0)
    self.counters = counters
    self.source = source
    self.table = table
    batch = PacketBatch(
      fragments: fragments, recordedLabels: recordedLabels, packetInterval: selection.packetInterval,
      ownSessions: ownSessions, hashSeed: table.configuration.hashSeed)
  }

  /// One round: the packets at hand, at most a batch.
  ///
  /// - Parameter timeout: how long to wait for the first packet.
  /// - Returns: how the source goes on, and whether ended Flows should be taken out of the table soon.
  /// - Throws: what ended the source; what came before is metered.
  @discardableResult
  public func meter(timeout: Duration) throws(CaptureError) -> (outcome: ReceiveOutcome, isCrowded: Bool) {
    if isChanging.load(ordering: .relaxed) { takeChange() }
    // A second for packets that are still on their way to us.
    let now = clock.map { max(batch.latest, $0.now.advanced(byMilliseconds: -1000)) } ?? batch.latest
    batch.reset(at: now)
    // Fragments that have waited too long may fill the batch by themselves.
    guard !batch.isFull else { return (.more, handOver()) }
    do throws(CaptureError) {
      let outcome = try source.receive(timeout: timeout, into: &batch)
      return (outcome, handOver())
    } catch {
      _ = handOver()
      throw error
    }
  }

  /// Has the next round, and those behind it, add to another table what another selection takes. Any thread.
  public func change(to table: FlowTable, _ selection: PacketSelection) {
    change.withLock {
      $0 = (table, selection)
      isChanging.store(true, ordering: .releasing)
    }
  }

  /// Whether the table and selection of ``change(to:_:)`` are not in use yet: while true, packets may still be added to
  /// those before. Any thread.
  public var hasChangeAhead: Bool { isChanging.load(ordering: .acquiring) }

  private func takeChange() {
    change.withLock {
      guard let next = $0 else { return }
      (table, selection) = next
      usage = Array(repeating: 0, count: next.selection.aggregation?.rules.count ?? 0)
      batch.packetInterval = next.selection.packetInterval
      $0 = nil
      isChanging.store(false, ordering: .releasing)
    }
  }

  /// Meters what the kernel still holds: call it when no more rounds come, before ``finish()``.
  ///
  /// - Throws: what ended the source; what came before is metered.
  public func drain() throws(CaptureError) {
    let end = Timestamp.monotonicClock().advanced(byMilliseconds: source.holdTime.milliseconds)
    while Timestamp.monotonicClock() < end { _ = try meter(timeout: .milliseconds(100)) }
  }

  /// Meters the fragments that still wait for their first one: no more packets will come.
  public func finish() {
    batch.reset(at: nil)
    _ = handOver()
    readDrops()
  }

  /// The time of the latest packet: the clock of a capture file.
  public var latestPacket: Timestamp { batch.latest }

  private func handOver() -> Bool {
    if let aggregation = selection.aggregation, batch.count > 0 {
      batch.aggregate(by: aggregation, &usage)
      selection.aggregationUsage.take(&usage)
    }
    if let keys = selection.keys { batch.keep(keys) }
    let update = batch.count > 0 ? table.update(batch) : FlowTableUpdate()
    let statistics = batch.statistics
    if statistics.observedPackets | statistics.meteredPackets | statistics.unselectedPackets > 0 {
      batch.statistics.add(update)
      counters.add(batch.statistics)
      batch.statistics = MeteringStatistics()
    }
    let now = Timestamp.monotonicClock()
    if now >= nextDropReading {
      nextDropReading = now.advanced(byMilliseconds: 1000)
      readDrops()
    }
    return update.isCrowded
  }

  private func readDrops() { counters.set(source.drops()) }
}

/// The statistics of one ``MeteringProcess``, for any thread to read.
public final class MeteringCounters: Sendable {
  private let counters = Mutex(MeteringStatistics())

  public init() {}

  /// What was counted so far, at one moment.
  public var statistics: MeteringStatistics { counters.withLock { $0 } }

  func add(_ more: MeteringStatistics) { counters.withLock { $0.add(more) } }

  func set(_ drops: CaptureDrops) {
    counters.withLock { ($0.kernelDrops, $0.interfaceDrops) = (drops.kernel, drops.interface) }
  }
}

extension Sequence<MeteringCounters> {
  /// The sum of all.
  package var total: MeteringStatistics { reduce(into: MeteringStatistics()) { $0.add($1.statistics) } }
}
