// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// Gets messages to a Collector over TCP or TLS, on a thread of its own: who exports hands them over and never waits.
///
/// Shared by the exporting thread and the one that delivers; the lock is held for a few lines, and covers all figures, so
/// that they are of one moment. A message is the exporter's until it is handed over, then this one's until the Collector has
/// acknowledged it, or it is lost.
final class Delivery: Sendable {
  struct State {
    /// What the exporter counted.
    var exporter = ExportStatistics()
    /// What was counted here: nothing of the same.
    var counted = ExportStatistics()
    var delivery = DeliveryStatistics()
    /// Handed over, and not taken by the thread that delivers.
    var inbox: [QueuedMessage] = []
    var inboxOctets = 0
    /// Octets of messages that wait in the thread's memory.
    var windowOctets = 0
    var events: [ExportEvent] = []
    /// Losses that nobody was told of, and when somebody was last.
    var losses: [ExportError.Kind: (records: FlowTotals, messages: UInt64)] = [:]
    var lossesTold: [ExportError.Kind: Timestamp] = [:]
    var finish: Finish?
    var hasEnded = false

    /// Until when what waits is to be delivered.
    struct Finish {
      var until: Timestamp
      /// How long it is behind each acknowledgement again, where the end waits for all. Milliseconds.
      var patience: Int64?
    }
  }

  let target: DestinationTarget
  let destination: ExportDestination
  let configuration: DeliveryConfiguration
  private let state: Mutex<State>
  /// The thread that delivers waits for it.
  let wake = WakeUp()
  /// Who exports waits for it: room, or the end.
  private let progress = WakeUp()
  /// Whether it waited in vain for room; of the exporting thread.
  private let isImpatient = Atomic<Bool>(false)

  /// How long to wait for room, while nothing is acknowledged. Milliseconds.
  private static let patience: Int64 = 5000

  init(_ destination: ExportDestination) {
    (self.destination, target) = (destination, destination.target)
    configuration = destination.configuration.delivery
    var state = State()
    state.delivery.queueCapacity = configuration.queue
    if configuration.spool != nil {
      state.delivery.spool = SpoolStatistics()
      state.delivery.spool?.capacity = configuration.spoolSize
    }
    self.state = Mutex(state)
  }

  // MARK: For who exports

  /// All figures at one moment. Any thread.
  var statistics: ExportStatistics {
    state.withLock { state in
      var all = state.exporter
      all.add(state.counted)
      all.isConnected = state.counted.isConnected
      (all.sendBuffer, all.sendQueue) = (state.counted.sendBuffer, state.counted.sendQueue)
      all.sendQueuePeak = state.counted.sendQueuePeak
      var waiting = state.delivery.queued
      if let spool = state.delivery.spool { waiting.add(spool.waiting) }
      all.pending.add(waiting.flows)
      all.natEvents.pending += waiting.events
      all.delivery = state.delivery
      all.delivery?.queueOctets = state.inboxOctets + state.windowOctets
      return all
    }
  }

  /// Takes messages over, with what the exporter has counted when they are no longer its own. Those that the queue has no
  /// room for are lost; templates are few, and always taken.
  func take(_ messages: [QueuedMessage], _ exporter: ExportStatistics) {
    if configuration.waitsForRoom { waitForRoom(messages.reduce(0) { $0 + $1.octets.count }) }
    state.withLock { state in
      state.exporter = exporter
      for message in messages {
        guard message.contents.role == .templates || hasRoom(message.octets.count, state) else {
          state.lose(message.contents.totals, .queueFull)
          continue
        }
        state.delivery.queued.add(message.contents.totals)
        state.inbox.append(message)
        state.inboxOctets += message.octets.count
      }
      state.delivery.queuePeak = max(state.delivery.queuePeak, state.inboxOctets + state.windowOctets)
    }
    if !messages.isEmpty { wake.call() }
  }

  private func hasRoom(_ octets: Int, _ state: State) -> Bool {
    state.inboxOctets + state.windowOctets + octets <= configuration.queue
  }

  private func waitForRoom(_ octets: Int) {
    var (known, end) = (UInt64(0), Timestamp.monotonicClock().advanced(byMilliseconds: Self.patience))
    while true {
      let (hasRoom, delivered) = state.withLock { (self.hasRoom(octets, $0) || $0.hasEnded, $0.counted.messages) }
      if hasRoom { return isImpatient.store(false, ordering: .relaxed) }
      if isImpatient.load(ordering: .relaxed), delivered == known || known == 0 { return }
      let now = Timestamp.monotonicClock()
      if delivered != known { (known, end) = (delivered, now.advanced(byMilliseconds: Self.patience)) }
      if now >= end { return isImpatient.store(true, ordering: .relaxed) }
      progress.wait(.milliseconds(100))
    }
  }

  /// Whether the Collector is not known not to be there: there is a connection, or nobody has tried yet.
  var isUsable: Bool {
    state.withLock { $0.counted.isConnected || $0.counted.failedAttempts == 0 && $0.delivery.connections == 0 }
  }

  /// What an operator wants to hear of, since the last call; of losses of one kind once a minute, and at the end.
  func takeEvents() -> [ExportEvent] {
    let now = Timestamp.monotonicClock()
    return state.withLock { state in
      var events = state.events
      state.events = []
      for (kind, loss) in state.losses.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        let told = state.lossesTold[kind]
        let isDue = told.map { now.milliseconds - $0.milliseconds >= Self.tellingInterval } ?? true
        guard isDue || state.hasEnded else { continue }
        events.append(.lost(destination: destination, kind, loss.records, loss.messages))
        state.losses[kind] = nil
        state.lossesTold[kind] = now
      }
      return events
    }
  }

  /// Milliseconds.
  private static let tellingInterval: Int64 = 60_000

  /// Has the thread end once everything is delivered, or after that many milliseconds; see ``waitForEnd()``. Of several
  /// calls the one that ends it first holds.
  func finish(within milliseconds: Int64) {
    let until = Timestamp.monotonicClock().advanced(byMilliseconds: milliseconds)
    state.withLock { state in
      if let finish = state.finish, finish.until <= until { return }
      state.finish = State.Finish(
        until: until, patience: configuration.waitsForRoom && milliseconds > 0 ? milliseconds : nil)
    }
    wake.call()
  }

  /// False where the thread has not ended two seconds behind its time, as a disk holds it up: what it has stays pending.
  func waitForEnd() -> Bool {
    while true {
      let (hasEnded, until) = state.withLock { ($0.hasEnded, $0.finish?.until) }
      if hasEnded { return true }
      if let until, Timestamp.monotonicClock() >= until.advanced(byMilliseconds: Self.delay) { return false }
      progress.wait(.milliseconds(100))
    }
  }

  /// Milliseconds.
  private static let delay: Int64 = 2000

  /// Whether the thread that delivered has ended.
  var hasEnded: Bool { state.withLock { $0.hasEnded } }

  /// Loses what waits: there is no thread that would deliver it.
  func giveUp() {
    state.withLock { state in
      for message in state.inbox {
        state.delivery.queued.remove(message.contents.totals)
        if message.contents.role != .templates { state.lose(message.contents.totals, .notDelivered) }
      }
      (state.inbox, state.inboxOctets, state.hasEnded) = ([], 0, true)
    }
  }

  // MARK: For who delivers

  func takeInbox() -> (messages: [QueuedMessage], finish: State.Finish?) {
    state.withLock { state in
      defer {
        state.windowOctets += state.inboxOctets
        (state.inbox, state.inboxOctets) = ([], 0)
      }
      return (state.inbox, state.finish)
    }
  }

  /// Changes the figures.
  func count(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

  /// Says that there may be room.
  func haveProgress() { progress.call() }

  func end() {
    state.withLock { $0.hasEnded = true }
    progress.call()
  }
}

extension Delivery.State {
  /// What an operator is to hear of; who never asks is told the first.
  mutating func note(_ event: ExportEvent) { if events.count < 64 { events.append(event) } }

  /// Messages that no one will have.
  mutating func lose(_ records: RecordTotals, messages: UInt64 = 1, _ kind: ExportError.Kind) {
    counted.noteLost(records, messages: messages, kind)
    var loss = losses[kind] ?? (FlowTotals(), 0)
    loss.records.add(records.flows)
    loss.messages += messages
    losses[kind] = loss
  }
}
