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

  /// Nil where all records are exported.
  private let selection: RecordSelection?
  private let encoder: any MessageEncoder
  private var batch = MessageBatch()
  /// Nil where there is a delivery.
  private let sender: SessionSender?
  /// Nil where messages are sent, and nobody acknowledges them.
  private let delivery: DeliverySender?
  private var options: OptionsSchedule
  private var templates = TemplateSchedule()
  private var counters = ExportStatistics()
  private let published = Mutex(ExportStatistics())

  /// - Parameters:
  ///   - destination: where it sends to, and how; a name is looked up at the first pass.
  ///   - number: tells this destination's session apart from others' in `ownSessions`; at least 0; default 0.
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
    let isAcknowledged = destination.target.scheme.isAcknowledged
    sender =
      isAcknowledged
      ? nil : SessionSender(to: destination, number: number, ownSessions: ownSessions, report: report)
    delivery =
      isAcknowledged ? DeliverySender(to: destination, number: number, ownSessions: ownSessions, report: report) : nil
    selection = configuration.filter.map { RecordSelection($0) }
    encoder = configuration.makeEncoder(repeatsTemplates: !isAcknowledged && !destination.isFiles)
    options = OptionsSchedule(configuration.sampling, configuration.profile.rules)
  }

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
    sender?.retire()
    finish(within: 0)
  }

  private func completeFile() { if sender?.completeFile() ?? false { publish() } }

  /// Whether records go to it now: of a member of a group.
  var isInUse: Bool {
    get { counters.isInUse }
    set { counters.isInUse = newValue }
  }

  /// Whether the Collector is not known not to be there: see ``Reachability``.
  var isUsable: Bool {
    delivery?.isUsable ?? sender?.isUsable(asks: encoder.templateCount > 0) ?? false
  }

  /// Finds out, ahead of a pass, whether the Collector is there: by what came back to earlier messages, and by templates
  /// with this pass where nothing has been sent for a while.
  func inquire() {
    guard let sender else { return }
    let isUncertain = sender.inquire(&counters)
    noteMissed()
    if isUncertain { templates.hurry(to: .monotonicClock()) }
  }

  // MARK: A pass

  public func begin(at instant: ExportInstant) {
    // What waits from the pass before is of the file before: it has the templates, and its sequence numbers.
    if destination.isFiles, batch.count > 0 { send() }
    if let delivery {
      delivery.begin()
    } else if let sender, sender.maintain(at: instant.wall(instant.now), encoder, &counters) {
      // Whoever listens there now has seen no template and no options.
      templates.begin(repeats: !destination.isFiles)
      options = OptionsSchedule(configuration.sampling, configuration.profile.rules)
    }
    if let path = sender?.messageLimit {
      let limit = min(configuration.longestMessage, max(path, Self.smallestMessage))
      if limit < encoder.messageLimit { flush(at: instant) }
      encoder.messageLimit = limit
    }
    sendTemplates(at: instant)
    sendOptions(at: instant)
    sender?.reportTrouble()
  }

  private func sendTemplates(at instant: ExportInstant) {
    let now = Timestamp.monotonicClock()
    guard templates.isDue(at: now) || encoder.templatesAreDue(at: instant) else { return }
    if batch.isFull { send() }
    encoder.sendTemplates(at: instant, to: &batch)
    templates.noteSent(at: now)
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
    describeEncoder()
    sender?.describe(in: &counters)
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
    try delivery?.prepare(isSuccessor: isSuccessor)
  }

  /// Has what waits be delivered, for at most so many milliseconds, beside whatever else goes on; what is left then stays
  /// in the spool, or is lost. Nothing is exported by this one any more. Exporting thread.
  public func beginToFinish(within milliseconds: Int64) {
    delivery?.beginToFinish(within: milliseconds)
  }

  /// Delivers what waits while others go on: to a destination that is one no longer. What has a spool goes there at once,
  /// since another exporter may want it; a file is completed.
  public func leave() {
    completeFile()
    delivery?.leave()
  }

  /// Tells what there is to be told of one that has left: a pass does it while it is there. Exporting thread.
  public func tell() { delivery?.tell() }

  /// Whether nothing that it has is still being delivered: of one that has left.
  public var hasEnded: Bool { delivery?.hasEnded ?? true }

  /// As ``beginToFinish(within:)``, and waits for the end; completes a file.
  public func finish(within milliseconds: Int64) {
    completeFile()
    delivery?.finish(within: milliseconds)
  }

  // MARK: Sending

  /// Empties the batch; where that filled a file, the next one begins as the first did.
  private func makeRoom(at instant: ExportInstant) {
    send()
    if sender?.isOver(at: instant.wall(instant.now)) ?? false { begin(at: instant) }
  }

  private func send() {
    if let delivery {
      describeEncoder()
      delivery.handOver(batch, &counters, onProgress)
    } else if let sender {
      sender.send(batch, &counters, onProgress)
      noteMissed()
      publish()
    }
    batch.removeAll()
  }

  private func describeEncoder() {
    counters.templates = encoder.templateCount
    counters.pending = encoder.pending
  }

  private func noteMissed() {
    if sender?.takeMissed() ?? false { templates.areMissed(at: .monotonicClock()) }
  }
}
