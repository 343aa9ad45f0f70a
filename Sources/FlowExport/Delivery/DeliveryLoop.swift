// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// What the thread of a ``Delivery`` does: keeps a connection to the Collector, sends what waits, takes note of what was
/// acknowledged, and brings to disk what has no room.
///
/// Belongs to that thread.
final class DeliveryLoop {
  let delivery: Delivery
  let configuration: DeliveryConfiguration
  let limit: Int
  /// Nil where there is none, or where another exporter has it still.
  var spool: Spool?
  let current: OutgoingStream
  /// What earlier runs have left, a stream each: their templates are others.
  var earlier: [OutgoingStream] = []
  var hasLookedForEarlier = false
  /// Nil where none goes on.
  var search: Search?
  /// When writing to the spool is tried again.
  var nextSpooling = Timestamp(milliseconds: 0)
  /// The same of a message that there is no room for in memory.
  var nextWriting = Timestamp(milliseconds: 0)
  /// The same of reading from it, and of taking it over.
  var nextLoading = Timestamp(milliseconds: 0)
  var nextTakeOver = Timestamp(milliseconds: 0)
  /// Since when there is no connection.
  var unconnectedSince = Timestamp.monotonicClock()
  /// The time; a test has one of its own.
  var clock: () -> Timestamp = { .monotonicClock() }
  var spoolTrouble = TroubleReport()

  private let path: CollectorAttempts
  private let sendBuffer: Int
  private var connection: OutgoingConnection?
  private var nextAttempt = Timestamp(milliseconds: 0)
  private var retry = RetryDelay()
  private var trouble = TroubleReport()
  private var hasTrouble = false
  private var servesEarlier = false
  /// As of this round.
  private var finish: Delivery.State.Finish?
  private var hasWaitedForSpool = false

  /// How long acknowledged messages are kept, should the connection be reset. Milliseconds.
  private static let keeping: Int64 = 10_000
  /// A connection that has lasted so long has the next attempt come soon. Milliseconds.
  private static let lasting: Int64 = 10_000
  /// How long another exporter may take to leave the spool. Milliseconds.
  private static let leaving: Int64 = 3000

  init(_ delivery: Delivery, _ path: CollectorAttempts, _ spool: Spool?) {
    (self.delivery, self.path, self.spool) = (delivery, path, spool)
    configuration = delivery.configuration
    limit = delivery.destination.configuration.longestMessage
    sendBuffer = delivery.destination.configuration.sendBuffer
    current = OutgoingStream(limit: limit)
  }

  func run() {
    repeat { round() } while goesOn() && wait()
    conclude()
    connection = nil
    spool = nil
    delivery.end()
  }

  /// Does what can be done without waiting.
  func round() {
    takeOverSpool()
    lookForEarlier()
    takeInbox()
    keepUpSpool()
    do throws(StreamFailure) {
      try connect()
      try exchange()
    } catch {
      breakOff(error)
    }
    tell()
  }

  // MARK: The connection

  /// What the connection serves.
  var active: OutgoingStream { servesEarlier ? earlier[0] : current }

  var isConnected: Bool { connection?.isOpen ?? false }

  /// Begins a connection, or goes on with one that is beginning.
  private func connect() throws(StreamFailure) {
    let now = clock()
    guard let connection else {
      guard !isSearching else { return }
      if now < nextAttempt {
        guard path.hasMoved else { return }
        tellOfMove()
      }
      servesEarlier = !earlier.isEmpty
      do throws(ExportError) {
        self.connection = OutgoingConnection(try path.begin(sendBuffer: sendBuffer), at: now)
      } catch {
        throw StreamFailure(reason: error.reason)
      }
      return
    }
    guard !connection.isOpen, try connection.advance(at: now) else { return }
    loadSegments()
    let wall = UInt32(truncatingIfNeeded: Timestamp.wallClock().milliseconds / 1000)
    for message in active.beginning(at: wall) {
      connection.stage(message.octets)
      active.window.stage(message.octets.count)
      delivery.count { $0.counted.noteSent(message.octets.count) }
    }
    delivery.count {
      $0.delivery.connections += 1
      $0.counted.isConnected = true
      $0.counted.sendBuffer = connection.sendBuffer
      if hasTrouble { $0.note(.connected(destination: delivery.destination)) }
    }
    hasTrouble = false
    path.noteSuccess()
  }

  /// Sends, and takes note of acknowledgements.
  private func exchange() throws(StreamFailure) {
    guard let connection, connection.isOpen else { return }
    let now = clock()
    if try connection.takeWords() { connection.end(at: now) }
    if path.hasMoved(from: connection.remote), !connection.isEnding {
      tellOfMove()
      connection.end(at: now, isOurs: true)
    }
    // What another exporter has left goes by a connection of its own, and first.
    if !servesEarlier, isSearching || !earlier.isEmpty { connection.end(at: now, isOurs: true) }
    noteAcknowledged(connection, at: now)
    loadSegments()
    try connection.send(&active.window)
    noteAcknowledged(connection, at: now)
    // What has just become free is used at once: the next round comes with the socket's room.
    loadSegments()
    if servesEarlier, active.isDelivered { connection.end(at: now, isOurs: true) }
    if connection.isOver(at: now) { close(reason: nil, mayLackAcknowledged: false) }
  }

  private func tellOfMove() {
    delivery.count { $0.note(.moved(destination: delivery.destination, to: path.text)) }
  }

  private func noteAcknowledged(_ connection: OutgoingConnection, at now: Timestamp) {
    var entries: [SendWindow.Entry] = []
    active.window.acknowledge(connection.acknowledged, at: now) { entries.append($0) }
    // While something is under way the peer's program may lag behind: what it has not read is kept for long.
    let before = active.window.isInFlight ? Timestamp(milliseconds: .min) : now.advanced(byMilliseconds: -Self.keeping)
    active.release(before: before, room: max(0, configuration.queue - active.window.waitingOctets))
    let queue = connection.unacknowledged
    delivery.count { state in
      for entry in entries { state.noteDelivered(entry) }
      if !entries.isEmpty, let patience = state.finish?.patience {
        state.finish?.until = now.advanced(byMilliseconds: patience)
      }
      state.windowOctets = windowOctets
      state.counted.sendQueue = queue
      state.counted.sendQueuePeak = max(state.counted.sendQueuePeak, queue)
    }
    guard !entries.isEmpty else { return }
    for case let segment? in entries.map(\.segment) {
      segment.waiting -= 1
      if segment.waiting == 0 { removeDelivered(segment) }
    }
    delivery.haveProgress()
  }

  private func removeDelivered(_ segment: SpoolSegment) {
    spool?.remove(segment)
    active.segments.removeAll { $0 === segment }
    countSpoolOctets()
  }

  /// The connection broke, or did not come to be.
  private func breakOff(_ failure: StreamFailure) {
    guard let connection, connection.isOpen else {
      delivery.count { $0.counted.failedAttempts += 1 }
      return close(reason: failure.reason, mayLackAcknowledged: false)
    }
    close(reason: failure.reason, mayLackAcknowledged: failure.mayLackAcknowledged && !connection.hasPeerEnded)
  }

  /// - Parameter reason: nil where it ended in order.
  private func close(reason: String?, mayLackAcknowledged: Bool) {
    let now = clock()
    if let connection, connection.isOpen { noteAcknowledged(connection, at: now) }
    let lasted = connection?.age(at: now) ?? 0
    let isOurs = reason == nil && connection?.isOurEnd ?? false
    connection = nil
    let again = active.rewind(withKept: mayLackAcknowledged)
    delivery.count {
      $0.delivery.resentMessages += UInt64(again)
      $0.counted.isConnected = false
      $0.counted.sendQueue = 0
    }
    if lasted > 0 { unconnectedSince = now }
    if lasted >= Self.lasting { retry.reset() }
    let isNextRun = servesEarlier && reason == nil && earlier[0].isDelivered
    if isNextRun { earlier.removeFirst() }
    servesEarlier = false
    if isOurs || isNextRun {
      retry.reset()
      nextAttempt = now
      return
    }
    nextAttempt = now.advanced(byMilliseconds: retry.take())
    path.noteTrouble()
    trouble.note(reason ?? "it closed the connection")
    hasTrouble = true
  }

  private func tell() {
    if let (reason, times) = trouble.take(at: clock()) {
      delivery.count { $0.note(.cannotSend(destination: delivery.destination, reason: reason, times: times)) }
    }
  }

  // MARK: Waiting and the end

  private func takeInbox() {
    let messages: [QueuedMessage]
    (messages, finish) = delivery.takeInbox()
    for message in messages { take(message) }
    spoolIfNeeded()
    delivery.count { $0.windowOctets = windowOctets }
  }

  /// Octets that the queue has no room for. A file of an earlier run comes to memory whole, and may be larger than the queue
  /// is now: half of that is for what is new.
  private var windowOctets: Int {
    current.window.waitingOctets
      + min(earlier.reduce(0) { $0 + $1.window.waitingOctets }, configuration.queue / 2)
  }

  /// False once nothing is left to do, or no time.
  private func goesOn() -> Bool {
    guard let finish else { return true }
    let isDelivered = earlier.isEmpty && current.isDelivered
    // Without a connection what can wait on disk does.
    let canWait = spool != nil && !isConnected
    guard !isDelivered, !canWait else { return false }
    return clock() < finish.until || waitsForSpool(finish)
  }

  /// Whether what waits is to go to a spool that another exporter is about to leave; for a while, once.
  private func waitsForSpool(_ finish: Delivery.State.Finish) -> Bool {
    guard configuration.spool != nil, spool == nil, current.window.unspooledOctets > 0, !hasWaitedForSpool
    else { return false }
    hasWaitedForSpool = true
    delivery.count { $0.finish?.until = finish.until.advanced(byMilliseconds: Self.leaving) }
    return true
  }

  private func wait() -> Bool {
    let now = clock()
    var entries = [pollfd(fd: delivery.wake.descriptor, events: Int16(POLLIN), revents: 0)]
    var timeout: Int64 = 1000
    if let connection {
      if let entry = connection.entry(hasNext: active.window.next != nil) { entries.append(entry) }
      // Nothing tells of an acknowledgement: it is asked for.
      if active.window.isInFlight || connection.isEnding { timeout = finish == nil ? 20 : 5 }
      if !connection.isOpen { timeout = 100 }
    } else {
      timeout = min(timeout, max(1, nextAttempt.milliseconds - now.milliseconds))
    }
    if isSearching, now >= nextLoading { timeout = 0 }
    if let finish, timeout > 0 { timeout = min(timeout, max(1, finish.until.milliseconds - now.milliseconds)) }
    if unsafe poll(&entries, nfds_t(entries.count), Int32(timeout)) > 0, entries[0].revents != 0 {
      delivery.wake.clear()
    }
    return true
  }

  /// What was not delivered goes to the spool, or is lost.
  private func conclude() {
    if let connection, connection.isOpen {
      noteAcknowledged(connection, at: clock())
      connection.endSending()
    }
    concludeSpool()
    var left: [QueuedMessage] = []
    current.window.forEachWaiting { if $0.segment == nil { left.append($0.message) } }
    delivery.count { state in
      for message in left {
        let records = message.contents.totals
        state.delivery.queued.remove(records)
        if message.contents.role != .templates { state.lose(records, reasonForLoss(of: message)) }
      }
      state.counted.isConnected = false
      state.windowOctets = 0
    }
  }
}

extension Delivery.State {
  /// A message of this run, or of an earlier one, was acknowledged.
  fileprivate mutating func noteDelivered(_ entry: SendWindow.Entry) {
    let contents = entry.message.contents
    counted.noteSent(entry.message.octets.count)
    counted.sent.add(contents.flows)
    counted.natEvents.sent += contents.events
    guard entry.segment != nil else { return delivery.queued.remove(contents.totals) }
    delivery.spool?.waiting.remove(contents.totals)
    delivery.spool?.sent.add(contents.totals)
  }
}
