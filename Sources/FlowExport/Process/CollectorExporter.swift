// SPDX-License-Identifier: Apache-2.0

public import FlowMeter
internal import Synchronization

/// Exports to one Collector: its own messages, sequence, templates, pace, filter and counters.
///
/// Belongs to the exporting thread; ``statistics`` may be read by any. A Collector that is down costs its messages,
/// which are counted, and never holds up metering. Over TCP and TLS messages wait for it, see `Delivery`.
public final class CollectorExporter: FlowRecordConsumer {
  /// Where it sends to, and how.
  public let destination: ExportDestination
  private let configuration: ExportConfiguration
  private let context: () -> ExporterContext
  private let report: (ExportEvent) -> Void

  /// Nil where all records are exported.
  private let selection: RecordSelection?
  private let encoder: any MessageEncoder
  private var batch = MessageBatch()
  /// Nil where there is a delivery.
  private var connection: CollectorConnection?
  /// Nil where messages are sent, and nobody acknowledges them.
  private let delivery: Delivery?
  private var courier: Courier
  private var pace: Pace
  private var options: OptionsSchedule
  /// The sequence number that the file which is written began with; nil once something of it was lost.
  private var sequenceOfFile: UInt32?
  private var repeatTemplates = false
  /// When the templates are sent next, by the monotonic clock, beside the encoder's own rules; nil: not before those.
  private var nextTemplates: Timestamp? = Timestamp(milliseconds: 0)
  private var trouble = TroubleReport()
  private var reachability = Reachability()
  private var counters = ExportStatistics()
  private let published = Mutex(ExportStatistics())

  /// - Parameters:
  ///   - destination: where it sends to, and how; a name is looked up at the first pass.
  ///   - number: tells this destination's session apart from others' in `ownSessions`; default 0.
  ///   - ownSessions: where the session's addresses are shown to those who meter; default: nowhere.
  ///   - context: asked when options records are due; see ``interfacesChanged()``. Default: nothing is known.
  ///   - report: told what an operator wants to hear of; default: nobody is.
  public init(
    to destination: ExportDestination, number: Int = 0, ownSessions: OwnSessions? = nil,
    context: @escaping () -> ExporterContext = { ExporterContext() }, report: @escaping (ExportEvent) -> Void = { _ in }
  ) {
    self.destination = destination
    configuration = destination.configuration
    self.context = context
    self.report = report
    let isAcknowledged = destination.target.scheme.isAcknowledged
    connection =
      isAcknowledged
      ? nil : CollectorConnection(destination.target, configuration, number: number, ownSessions: ownSessions)
    delivery = isAcknowledged ? Delivery(destination) : nil
    courier = Courier(number: number, ownSessions: ownSessions)
    selection = configuration.filter.map { RecordSelection($0) }
    // Who waits for room needs no other pace.
    pace = Pace(perSecond: isAcknowledged && configuration.delivery.waitsForRoom ? 0 : configuration.exportRate)
    encoder = configuration.makeEncoder(repeatsTemplates: !isAcknowledged && !destination.isFiles)
    options = OptionsSchedule(configuration.sampling, configuration.profile.rules)
  }

  deinit { delivery?.finish(within: 0) }

  /// What was exported so far; any thread.
  public var statistics: ExportStatistics { delivery?.statistics ?? published.withLock { $0 } }

  /// The sequence number of the next message. An exporter that follows another one to the same Collector goes on with
  /// its number, since some collectors tell sessions apart by the exporter's address alone. Exporting thread.
  public var sequence: UInt32 {
    get { encoder.sequence }
    set { encoder.sequence = newValue }
  }

  /// Called on the exporting thread while messages leave, some at a time: with a low rate a pass may take long.
  public var onProgress: () -> Void = {}

  /// Closes the socket: nothing is exported by this one any more, and its addresses are nobody's. Exporting thread.
  public func retire() {
    connection?.abandon()
    finish(within: 0)
  }

  private func completeFile() {
    guard let files = connection?.files else { return }
    connection?.abandon()
    files.conclude()
    reportTrouble()
    publish()
  }

  private func reportTrouble() {
    for event in connection?.files?.takeEvents() ?? [] { report(.file(event)) }
    guard let (reason, times) = trouble.take(at: .monotonicClock()) else { return }
    report(.cannotSend(destination: destination, reason: reason, times: times))
  }

  /// Whether records go to it now: of a member of a group.
  var isInUse: Bool {
    get { counters.isInUse }
    set { counters.isInUse = newValue }
  }

  /// Whether the Collector is not known not to be there: see ``Reachability``.
  var isUsable: Bool {
    if let delivery { return delivery.isUsable }
    return connection?.session != nil && reachability.isGood(at: .monotonicClock(), asks: encoder.templateCount > 0)
  }

  /// Finds out, ahead of a pass, whether the Collector is there: by what came back to earlier messages, and by templates
  /// with this pass where nothing has been sent for a while.
  func inquire() {
    // Of a file that is.
    guard !destination.isFiles else { return }
    let now = Timestamp.monotonicClock()
    switch connection?.session?.takeAnswer() {
    case nil: break
    case .refused: noteRefusals(1, "connection refused")
    case .failed(let error):
      counters.errors[error.kind, default: 0] += 1
      giveUp(error)
    }
    if reachability.isUncertain(at: now) { nextTemplates = min(nextTemplates ?? now, now) }
  }

  // MARK: A pass

  public func begin(at instant: ExportInstant) {
    if let delivery {
      begin(delivery)
      sendTemplates(at: instant)
      return sendOptions(at: instant)
    }
    switch connection?.maintain(at: instant.wall(instant.now)) {
    case nil, .unchanged: break
    case .opened(let movedTo):
      if let movedTo { report(.moved(destination: destination, to: movedTo)) }
      // A file that is gone has counted nothing.
      if connection?.files?.hasLeftNothing ?? false, let sequenceOfFile { encoder.sequence = sequenceOfFile }
      sequenceOfFile = encoder.sequence
      // Whoever listens there now has seen no template and no options.
      nextTemplates = Timestamp(milliseconds: 0)
      options = OptionsSchedule(configuration.sampling, configuration.profile.rules)
      repeatTemplates = !destination.isFiles
    case .failed(let error):
      counters.failedAttempts += 1
      trouble.note(error.reason)
    }
    if let path = connection?.session?.messageLimit {
      let limit = min(configuration.longestMessage, max(path, Self.smallestMessage))
      if limit < encoder.messageLimit { flush(at: instant) }
      encoder.messageLimit = limit
    }
    sendTemplates(at: instant)
    sendOptions(at: instant)
    reportTrouble()
  }

  private func sendTemplates(at instant: ExportInstant) {
    let now = Timestamp.monotonicClock()
    guard nextTemplates.map({ now >= $0 }) ?? false || encoder.templatesAreDue(at: instant) else { return }
    if batch.isFull { send() }
    encoder.sendTemplates(at: instant, to: &batch)
    // RFC 7011 section 8.4 wants several copies at the start: datagrams get lost.
    nextTemplates = repeatTemplates ? now.advanced(byMilliseconds: 5000) : nil
    repeatTemplates = false
  }

  /// Sees to it that templates go out again soon: some were lost.
  private func templatesAreMissed() {
    let soon = Timestamp.monotonicClock().advanced(byMilliseconds: 1000)
    nextTemplates = min(nextTemplates ?? soon, soon)
  }

  /// What any path takes (RFC 1122 section 3.3.2: 576 octets), less headers.
  private static var smallestMessage: Int { 512 }

  public func consume(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
    guard configuration.records.contains(.flows) else { return }
    guard let selection else { return encode(records, at: instant) }
    var filtered = FlowTotals()
    selection.choose(from: records, filtered: &filtered) { encode($0, at: instant) }
    counters.filtered.add(filtered)
  }

  private func encode(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
    var next = 0
    while next < records.count {
      if batch.isFull { makeRoom(at: instant) }
      encoder.append(records, from: &next, at: instant, to: &batch, rejected: &counters.notRepresentable)
    }
  }

  public func consume(_ events: [NATEvent], at instant: ExportInstant) {
    guard configuration.records.contains(.natEvents) else { return }
    let events = selection?.choose(from: events, filtered: &counters.natEvents.filtered) ?? events
    var next = 0
    while next < events.count {
      if batch.isFull { makeRoom(at: instant) }
      encoder.append(
        events, from: &next, at: instant, to: &batch, rejected: &counters.natEvents.notRepresentable)
    }
  }

  public func flush(at instant: ExportInstant) {
    while !encoder.flush(at: instant, to: &batch) { makeRoom(at: instant) }
    send()
  }

  private func publish() {
    counters.isConnected = connection?.session != nil
    counters.files = connection?.files?.totals
    counters.templates = encoder.templateCount
    counters.pending = encoder.pending
    let queue = connection?.session?.sendQueue ?? SendQueue()
    (counters.sendBuffer, counters.sendQueue) = (queue.capacity, queue.used)
    published.withLock { $0 = counters }
  }

  // MARK: Options

  /// Has the next pass tell of what is new in ``ExporterContext/interfaces``, ahead of the Flows.
  public func interfacesChanged() { options.interfacesChanged() }

  private func sendOptions(at instant: ExportInstant) {
    guard configuration.records.contains(.options), options.isDue(at: instant.now) else { return }
    let context = context()
    var record = ExporterOptions()
    record.domain = configuration.observationDomain
    record.started = context.started
    record.now = instant.wall(instant.now)
    record.program = configuration.program
    record.describe(configuration.sampling)
    (record.offered, record.selected) = (context.offered, context.selected)
    let counters = delivery?.statistics ?? counters
    (record.sentMessages, record.sentRecords) = (counters.messages, counters.sent.flows)
    record.sentOctets = counters.octets
    record.observedFlows = context.observedFlows
    record.ignoredPackets = context.ignoredPackets
    record.notSent = context.lostInTable
    record.notSent.add(counters.lost)
    options.noteLosses(&record)
    for kind in options.takeDue(at: instant.now, record) {
      let records =
        kind == .interface ? options.takeUntold(of: context.interfaces).map { record.describing($0) } : [record]
      // A few messages at a time.
      for start in stride(from: 0, to: records.count, by: 64) {
        if batch.isFull { send() }
        encoder.append(
          kind, Array(records[start..<min(start + 64, records.count)]), at: instant, to: &batch)
      }
    }
  }

  // MARK: Delivery

  /// Reads the files and takes the spool that the destination names, and gets ready to connect: at the start, before the
  /// program gives rights away, and before a change. Nothing where there are none; a second time it does nothing.
  ///
  /// - Parameter isSuccessor: whether another exporter of this process has the spool still, and leaves it soon.
  /// - Throws: ``DeliveryRefusal``, in words for the operator.
  public func prepare(isSuccessor: Bool = false) throws(DeliveryRefusal) {
    if let delivery { try courier.prepare(delivery, isSuccessor: isSuccessor) }
  }

  private func begin(_ delivery: Delivery) {
    do throws(DeliveryRefusal) {
      try courier.start(delivery)
    } catch {
      trouble.note(error.description)
    }
    tell(delivery)
  }

  private func tell(_ delivery: Delivery) {
    for event in delivery.takeEvents() { report(event) }
    reportTrouble()
  }

  private func handOver(to delivery: Delivery) {
    counters.templates = encoder.templateCount
    counters.pending = encoder.pending
    for contents in batch.contents { counters.pending.add(contents.flows) }
    var next = 0
    repeat {
      onProgress()
      let chunk = next..<min(next + Pace.burst, batch.count)
      pace.wait(for: chunk.count)
      for place in chunk { counters.pending.remove(batch.contents[place].flows) }
      delivery.take(batch.messages(chunk), counters)
      next = chunk.upperBound
    } while next < batch.count
    batch.removeAll()
  }

  /// Has what waits be delivered, for at most so many milliseconds, beside whatever else goes on; what is left then stays
  /// in the spool, or is lost. Nothing is exported by this one any more. Exporting thread.
  public func beginToFinish(within milliseconds: Int64) {
    // Who never began has nobody to deliver what there is.
    if let delivery, !courier.hasStarted { begin(delivery) }
    delivery?.finish(within: milliseconds)
  }

  /// Delivers what waits while others go on: to a destination that is one no longer. What has a spool goes there at once,
  /// since another exporter may want it; a file is completed.
  public func leave() {
    completeFile()
    guard courier.hasStarted else { return }
    beginToFinish(within: configuration.delivery.spool == nil ? Self.leaving : 0)
  }

  /// Milliseconds.
  private static let leaving: Int64 = 5000

  /// As ``beginToFinish(within:)``, and waits for the end; completes a file.
  public func finish(within milliseconds: Int64) {
    completeFile()
    guard let delivery, courier.hasStarted else { return }
    beginToFinish(within: milliseconds)
    delivery.waitForEnd()
    tell(delivery)
  }

  // MARK: Sending

  /// Empties the batch; where that filled a file, the next one begins as the first did.
  private func makeRoom(at instant: ExportInstant) {
    send()
    if connection?.isOver(at: instant.wall(instant.now)) ?? false { begin(at: instant) }
  }

  private func send() {
    if let delivery { return handOver(to: delivery) }
    var next = 0
    while next < batch.count {
      let chunk = min(batch.count - next, pace.chunk)
      guard let session = connection?.session else {
        lose(next..<batch.count, .connect)
        break
      }
      onProgress()
      pace.wait(for: chunk)
      let outcome = session.send(batch, next..<next + chunk)
      counters.sendQueuePeak = max(counters.sendQueuePeak, session.sendQueue.used)
      noteRefusals(outcome.refusals, outcome.refusal)
      if outcome.sent > 0 { reachability.noteSent(at: .monotonicClock()) }
      for i in next..<next + outcome.sent {
        counters.noteSent(Int(batch.lengths[i]))
        counters.sent.add(batch.contents[i].flows)
        counters.natEvents.sent += batch.contents[i].events
      }
      next += outcome.sent
      if let error = outcome.error {
        // A full buffer or a missing route will not mend itself within this batch.
        lose(next..<batch.count, error.kind)
        giveUp(error)
        break
      }
    }
    batch.removeAll()
    publish()
  }

  private func lose(_ range: Range<Int>, _ kind: ExportError.Kind) {
    templatesAreMissed()
    sequenceOfFile = nil
    for i in range { counters.noteLost(batch.contents[i].totals, kind) }
  }

  /// A message could not be sent, or came back.
  private func giveUp(_ error: ExportError) {
    trouble.note(error.reason)
    templatesAreMissed()
    guard error.kind == .other else { return }
    connection?.abandon()
    reachability.noteTrouble(at: .monotonicClock())
  }

  /// Messages came back: nobody listens there, or there is no way.
  private func noteRefusals(_ count: Int, _ reason: String) {
    guard count > 0 else { return }
    counters.refusals += UInt64(count)
    trouble.note(reason, times: count)
    reachability.noteTrouble(at: .monotonicClock())
    templatesAreMissed()
  }
}
