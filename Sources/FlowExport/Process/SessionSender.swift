// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// Sends an exporter's messages where nobody acknowledges them: datagrams to a Collector, or to files.
///
/// Keeps the session, and what is known of whether anybody listens. Belongs to the exporting thread.
final class SessionSender {
  private let destination: ExportDestination
  private let report: (ExportEvent) -> Void
  private var connection: CollectorConnection
  private var pace: Pace
  private var trouble = TroubleReport()
  private var reachability = Reachability()
  /// The sequence number that the file which is written began with; nil once something of it was lost.
  private var sequenceOfFile: UInt32?
  private var hasMissed = false

  init(
    to destination: ExportDestination, number: Int, ownSessions: OwnSessions?, report: @escaping (ExportEvent) -> Void
  ) {
    (self.destination, self.report) = (destination, report)
    let configuration = destination.configuration
    connection = CollectorConnection(destination.target, configuration, number: number, ownSessions: ownSessions)
    pace = Pace(perSecond: configuration.exportRate)
  }

  // MARK: The session

  /// Opens a session where there is none, as far as one is due.
  ///
  /// - Parameter now: by the wall clock, or that of the packets that are read.
  /// - Returns: whether there is a new one.
  func maintain(at now: Timestamp, _ encoder: any MessageEncoder, _ counters: inout ExportStatistics) -> Bool {
    switch connection.maintain(at: now) {
    case .unchanged: return false
    case .opened(let movedTo):
      if let movedTo { report(.moved(destination: destination, to: movedTo)) }
      // A file that is gone has counted nothing.
      if connection.files?.hasLeftNothing ?? false, let sequenceOfFile { encoder.sequence = sequenceOfFile }
      sequenceOfFile = encoder.sequence
      return true
    case .failed(let error):
      counters.failedAttempts += 1
      trouble.note(error.reason)
      return false
    }
  }

  /// The largest message that the path takes; nil where that is not known.
  var messageLimit: Int? { connection.session?.messageLimit }

  /// Whether the file that is written has come to its end.
  func isOver(at now: Timestamp) -> Bool { connection.isOver(at: now) }

  /// Whether the Collector is not known not to be there; see ``Reachability``.
  func isUsable(asks: Bool) -> Bool {
    connection.session != nil && reachability.isGood(at: .monotonicClock(), asks: asks)
  }

  /// Finds out by what came back to earlier messages whether the Collector is there. True where nothing has been sent for
  /// so long that it is to be asked.
  func inquire(_ counters: inout ExportStatistics) -> Bool {
    // Of a file that is.
    guard !destination.isFiles else { return false }
    switch connection.session?.takeAnswer() {
    case nil: break
    case .refused: noteRefusals(1, "connection refused", &counters)
    case .tooLong(let count): noteRefusals(count, tooLong: count, SystemError(code: EMSGSIZE).description, &counters)
    case .failed(let error):
      counters.errors[error.kind, default: 0] += 1
      giveUp(error)
    }
    return reachability.isUncertain(at: .monotonicClock())
  }

  /// Closes the session for good: its addresses are nobody's then.
  func retire() { connection.retire() }

  /// Ends the file that is written, and tries for the last time to complete others. False where it is not files.
  func completeFile() -> Bool {
    guard let files = connection.files else { return false }
    connection.abandon()
    files.conclude()
    reportTrouble()
    return true
  }

  func reportTrouble() {
    for event in connection.files?.takeEvents() ?? [] { report(.file(event)) }
    guard let (reason, times) = trouble.take(at: .monotonicClock()) else { return }
    report(.cannotSend(destination: destination, reason: reason, times: times))
  }

  /// Completes the figures by what is so now.
  func describe(in counters: inout ExportStatistics) {
    counters.isConnected = connection.session != nil
    counters.files = connection.files?.totals
    let queue = connection.session?.sendQueue ?? SendQueue()
    (counters.sendBuffer, counters.sendQueue) = (queue.capacity, queue.used)
  }

  // MARK: Sending

  /// Sends all messages; those that cannot be are lost.
  ///
  /// - Parameter onProgress: called while they leave.
  func send(_ batch: borrowing MessageBatch, _ counters: inout ExportStatistics, _ onProgress: () -> Void) {
    var next = 0
    while next < batch.count {
      let chunk = min(batch.count - next, pace.chunk)
      guard let session = connection.session else {
        return lose(batch, next..<batch.count, .connect, &counters)
      }
      onProgress()
      pace.wait(for: chunk)
      let outcome = session.send(batch, next..<next + chunk)
      counters.sendQueuePeak = max(counters.sendQueuePeak, session.sendQueue.used)
      noteRefusals(outcome.refusals, tooLong: outcome.tooLong, outcome.refusal, &counters)
      if outcome.sent > 0 { reachability.noteSent(at: .monotonicClock()) }
      for i in next..<next + outcome.sent {
        counters.noteSent(Int(batch.lengths[i]))
        counters.sent.add(batch.contents[i].flows)
        counters.natEvents.sent += batch.contents[i].events
      }
      next += outcome.sent
      if let error = outcome.error {
        // A full buffer or a missing route will not mend itself within this batch.
        lose(batch, next..<batch.count, error.kind, &counters)
        return giveUp(error)
      }
    }
  }

  /// Whether messages were lost, or came back, since the last call: templates may be among them.
  func takeMissed() -> Bool {
    defer { hasMissed = false }
    return hasMissed
  }

  private func lose(
    _ batch: borrowing MessageBatch, _ range: Range<Int>, _ kind: ExportError.Kind, _ counters: inout ExportStatistics
  ) {
    hasMissed = true
    sequenceOfFile = nil
    for i in range { counters.noteLost(batch.contents[i].totals, kind) }
  }

  /// A message could not be sent, or came back.
  private func giveUp(_ error: ExportError) {
    trouble.note(error.reason)
    hasMissed = true
    guard error.kind == .other else { return }
    connection.abandon()
    reachability.noteTrouble(at: .monotonicClock())
  }

  /// Messages came back: nobody listens there, there is no way, or, of so many, it does not take their length.
  private func noteRefusals(_ count: Int, tooLong: Int = 0, _ reason: String, _ counters: inout ExportStatistics) {
    guard count > 0 else { return }
    counters.refusals += UInt64(count)
    trouble.note(reason, times: count)
    if tooLong < count { reachability.noteTrouble(at: .monotonicClock()) }
    hasMissed = true
  }
}
