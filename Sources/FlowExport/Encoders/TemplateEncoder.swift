// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads records where they lie in the buffer that is lent to `append`.

internal import FlowMeter

/// What a ``TemplateEncoder`` is told.
struct TemplateConfiguration: Sendable {
  var domain: UInt32
  /// Messages with data between two refreshes of the templates.
  var refreshRate: Int
  /// Milliseconds between two refreshes of the templates.
  var refreshInterval: Int64
  var natEventCodes: NATEventCodes
  /// How many label stack sections the records of labelled Flows have.
  var recordedLabels: Int
  /// Where something is sampled, records have the number of the sampler, and options tell of it.
  var sampling: Sampling?
  /// What the destination's profile changes of the fields.
  var rules: FieldRules
  /// Whether there are options records.
  var hasOptions: Bool
}

/// Messages of NetFlow v9 or IPFIX.
///
/// Records wait in one set a template. A set that fills a message leaves as a message of its own, so that full messages
/// of a template are of one length and can leave together; on ``flush(at:to:)`` what is left shares messages.
/// Templates and options leave in messages of their own, ahead of the data.
final class TemplateEncoder: MessageEncoder {
  /// Set header: id and length (RFC 7011 section 3.3.2).
  private static var setHeaderLength: Int { 4 }

  var messageLimit: Int
  var templateCount: Int { templateSets.count }
  var pending: FlowTotals {
    var totals = FlowTotals()
    for place in 0..<pendingSets.count { totals.add(pendingSets[place].flows) }
    return totals
  }
  private let format: any MessageFormat
  private let configuration: TemplateConfiguration
  var sequence: UInt32 = 0
  private var message = MessageBuffer(capacity: MessageBatch.longestMessage)

  private let pendingSets = PendingSets()
  /// By ``NATEventShape``; nil before the first event of the shape.
  private var pendingEvents = [PendingEvents?](repeating: nil, count: NATEventShape.allCases.count)
  private var optionsTemplates: [(kind: OptionsKind, template: Template<ExporterOptions>)] = []
  private var templateSets = TemplateSets()
  private var nextTemplateID: UInt16 = 256
  private var messagesSinceTemplates = 0
  private var templatesSentAt: Timestamp?

  init(_ format: any MessageFormat, _ configuration: TemplateConfiguration, messageLimit: Int) {
    self.format = format
    self.configuration = configuration
    self.messageLimit = messageLimit
    // The first sets of a refresh are those of the options, whose records do not wait for its end.
    guard configuration.hasOptions else { return }
    for kind in OptionsKind.kinds(of: configuration.sampling, in: format.dialect, configuration.rules) {
      let template = kind.template(takeTemplateID(), in: format, configuration.rules)
      optionsTemplates.append((kind, template))
      templateSets.add(format.templateSet(template))
    }
  }

  func append(
    _ records: borrowing FlowRecordBuffer, from next: inout Int, at instant: ExportInstant,
    to batch: inout MessageBatch, rejected: inout FlowTotals
  ) {
    guard refreshTemplates(at: instant, to: &batch) else { return }
    let room = messageLimit - format.headerLength - Self.setHeaderLength - (format.alignment - 1)
    let (start, count) = unsafe (records.start, records.count)
    precondition(next >= 0)
    while next < count, !batch.isFull {
      let record = unsafe start + next
      let shape = unsafe FlowShape(record.pointee)
      let place = pendingSets.place(of: shape) ?? addTemplate(for: shape, at: instant, to: &batch)
      if pendingSets[place].records.count + pendingSets[place].template.recordLength > room {
        sendFull(place, at: instant, to: &batch)
      }
      unsafe pendingSets[place].append(record, at: instant)
      next += 1
    }
  }

  private func addTemplate(
    for shape: FlowShape, at instant: ExportInstant, to batch: inout MessageBatch
  ) -> Int {
    let fields = shape.fields(
      for: format.dialect, isSampled: configuration.sampling != nil, labels: configuration.recordedLabels,
      configuration.rules)
    let template = Template(id: takeTemplateID(), fields: fields)
    announce(template, at: instant, to: &batch)
    return pendingSets.add(template, shape)
  }

  func append(
    _ events: [NATEvent], from next: inout Int, at instant: ExportInstant, to batch: inout MessageBatch,
    rejected: inout UInt64
  ) {
    guard refreshTemplates(at: instant, to: &batch) else { return }
    let room = messageLimit - format.headerLength - Self.setHeaderLength - (format.alignment - 1)
    while next < events.count, !batch.isFull {
      let shape = NATEventShape(events[next])
      let pending = pendingEvents[shape.rawValue] ?? addTemplate(for: shape, at: instant, to: &batch)
      if pending.records.count + pending.template.recordLength > room {
        beginMessage(at: instant)
        let count = moveToMessage(pending)
        endMessage(dataRecords: Int(count), events: count, at: instant, to: &batch)
      }
      pending.append(events[next], at: instant)
      next += 1
    }
  }

  private func addTemplate(
    for shape: NATEventShape, at instant: ExportInstant, to batch: inout MessageBatch
  ) -> PendingEvents {
    let fields = shape.fields(configuration.natEventCodes, configuration.rules)
    let template = Template(id: takeTemplateID(), fields: fields)
    announce(template, at: instant, to: &batch)
    let pending = PendingEvents(template)
    pendingEvents[shape.rawValue] = pending
    return pending
  }

  private func takeTemplateID() -> UInt16 {
    defer { nextTemplateID += 1 }
    return nextTemplateID
  }

  // MARK: Data

  private func sendFull(_ place: Int, at instant: ExportInstant, to batch: inout MessageBatch) {
    beginMessage(at: instant)
    let flows = moveToMessage(place)
    endMessage(dataRecords: Int(flows.flows), flows: flows, at: instant, to: &batch)
  }

  func flush(at instant: ExportInstant, to batch: inout MessageBatch) -> Bool {
    guard refreshTemplates(at: instant, to: &batch) else { return false }
    var (flows, events) = (FlowTotals(), UInt64(0))
    /// Opens the message that the next set goes to; false where the batch has no room for it.
    func makeRoom(_ records: Int) -> Bool {
      let length = Self.setHeaderLength + records + format.alignment - 1
      if flows.flows + events > 0, message.count + length > messageLimit { end() }
      guard flows.flows + events == 0 else { return true }
      if batch.isFull { return false }
      beginMessage(at: instant)
      return true
    }
    func end() {
      endMessage(
        dataRecords: Int(flows.flows + events), flows: flows, events: events, at: instant, to: &batch)
      (flows, events) = (FlowTotals(), 0)
    }
    for place in 0..<pendingSets.count where pendingSets[place].flows.flows > 0 {
      guard makeRoom(pendingSets[place].records.count) else { return false }
      flows.add(moveToMessage(place))
    }
    for case let pending? in pendingEvents where pending.count > 0 {
      guard makeRoom(pending.records.count) else { return false }
      events += moveToMessage(pending)
    }
    if flows.flows + events > 0 { end() }
    return !templateSets.isRefreshing
  }

  /// Makes a set's records the next Data Set of the message, and says what they are.
  private func moveToMessage(_ place: Int) -> FlowTotals {
    let start = beginSet(pendingSets[place].template.id)
    message.append(pendingSets[place].records)
    endSet(start, alignment: format.alignment)
    return pendingSets[place].empty()
  }

  private func moveToMessage(_ events: PendingEvents) -> UInt64 {
    let start = beginSet(events.template.id)
    let count = events.move(to: &message)
    endSet(start, alignment: format.alignment)
    return count
  }

  // MARK: Messages and sets

  private func beginMessage(at instant: ExportInstant) {
    message.removeAll()
    format.writeHeader(to: &message, sequence: sequence, domain: configuration.domain, at: instant)
  }

  private func endMessage(
    dataRecords: Int = 0, templateRecords: Int = 0, flows: FlowTotals = FlowTotals(), events: UInt64 = 0,
    as role: MessageBatch.Role = .data, at instant: ExportInstant, to batch: inout MessageBatch
  ) {
    format.finish(&message, records: dataRecords + templateRecords)
    sequence &+= format.sequenceStep(dataRecords: dataRecords)
    batch.append(
      message, flows, events: events, records: UInt32(dataRecords), as: templateRecords > 0 ? .templates : role)
    guard dataRecords > 0 else { return }
    messagesSinceTemplates += 1
    // Ahead of the next data, whichever call that comes with.
    if flows.flows + events > 0, messagesSinceTemplates >= configuration.refreshRate {
      sendTemplates(at: instant, to: &batch)
    }
  }

  private func beginSet(_ id: UInt16) -> Int {
    let start = message.count
    message.append(id)
    message.append(UInt16(0))
    return start
  }

  private func endSet(_ start: Int, alignment: Int) {
    message.append(zeros: (alignment - (message.count - start) % alignment) % alignment)
    message.patch(UInt16(message.count - start), at: start + 2)
  }

  // MARK: Templates and options

  func templatesAreDue(at instant: ExportInstant) -> Bool {
    guard let templatesSentAt else { return true }
    return instant.now.milliseconds - templatesSentAt.milliseconds >= configuration.refreshInterval
  }

  func sendTemplates(at instant: ExportInstant, to batch: inout MessageBatch) {
    messagesSinceTemplates = 0
    templatesSentAt = instant.now
    templateSets.beginRefresh()
    refreshTemplates(at: instant, to: &batch)
  }

  /// Goes on with a refresh that is under way until the batch is full. Returns whether none is any more: data waits for
  /// its end.
  @discardableResult
  private func refreshTemplates(at instant: ExportInstant, to batch: inout MessageBatch) -> Bool {
    while templateSets.isRefreshing {
      if batch.isFull { return false }
      beginMessage(at: instant)
      let count = templateSets.append(to: &message, limit: messageLimit)
      endMessage(templateRecords: count, at: instant, to: &batch)
    }
    return true
  }

  /// Sends a new template, ahead of its first record.
  private func announce<Record>(
    _ template: Template<Record>, at instant: ExportInstant, to batch: inout MessageBatch
  ) {
    let set = format.templateSet(template)
    templateSets.add(set)
    // Before the first refresh it waits for that.
    guard templatesSentAt != nil else { return }
    beginMessage(at: instant)
    message.append(set)
    endMessage(templateRecords: 1, at: instant, to: &batch)
  }

  func append(
    _ kind: OptionsKind, _ records: [ExporterOptions], at instant: ExportInstant, to batch: inout MessageBatch
  ) {
    guard let template = optionsTemplates.first(where: { $0.kind == kind })?.template else { return }
    // A set each: nfdump takes an interface's record to be as long as the fields that it knows, and reads the first of a
    // set rightly.
    let setLength = Self.setHeaderLength + template.recordLength + format.alignment - 1
    let perMessage = max(1, (messageLimit - format.headerLength) / setLength)
    for start in stride(from: 0, to: records.count, by: perMessage) {
      let slice = records[start..<min(start + perMessage, records.count)]
      beginMessage(at: instant)
      for record in slice {
        let set = beginSet(template.id)
        template.encode(record, at: instant, to: &message)
        endSet(set, alignment: format.alignment)
      }
      endMessage(
        dataRecords: slice.count, as: kind.isDescription ? .description(kind) : .data, at: instant, to: &batch)
    }
  }
}
