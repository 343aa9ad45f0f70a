// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What a ``TemplateEncoder`` is told.
struct TemplateConfiguration: Sendable {
  var domain: UInt32
  /// Messages with data between two refreshes of the templates.
  var refreshRate: Int
  /// Milliseconds between two refreshes of the templates.
  var refreshInterval: Int64
}

/// Messages of NetFlow v9 or IPFIX.
///
/// Records wait in one set a template. A set that fills a message leaves as a message of its own, so that full messages
/// of a template are of one length and can leave together; on ``flush(at:to:)`` what is left shares messages.
/// Templates and options leave in messages of their own, ahead of the data.
final class TemplateEncoder<Format: MessageFormat>: MessageEncoder {
  /// Set header: id and length (RFC 7011 section 3.3.2).
  private static var setHeaderLength: Int { 4 }

  var messageLimit: Int
  private let configuration: TemplateConfiguration
  private var sequence: UInt32 = 0
  private var message = MessageBuffer(capacity: MessageBatch.longestMessage)

  private var pending: [PendingSet] = []
  /// By shape: its place in `pending`, or -1.
  private var places = [Int16](repeating: -1, count: FlowShape.count)
  private var optionsTemplates: [(kind: OptionsKind, template: Template<ExporterOptions>)] = []
  private var nextTemplateID: UInt16 = 256
  private var messagesSinceTemplates = 0
  private var templatesSentAt = Timestamp(milliseconds: 0)

  /// The records of one template that have not left yet.
  private final class PendingSet {
    let template: Template<FlowRecord>
    var records = MessageBuffer(capacity: MessageBatch.longestMessage)
    var flows = FlowTotals()

    init(_ template: Template<FlowRecord>) { self.template = template }
  }

  init(_ configuration: TemplateConfiguration, messageLimit: Int) {
    self.configuration = configuration
    self.messageLimit = messageLimit
    for kind in OptionsKind.allCases {
      optionsTemplates.append((kind, makeTemplate(kind)))
    }
  }

  func append(
    _ record: borrowing FlowRecord, at instant: ExportInstant, to batch: inout MessageBatch
  ) -> AppendOutcome {
    let set = pendingSet(FlowShape(record), at: instant, to: &batch)
    let room = messageLimit - Format.headerLength - Self.setHeaderLength - (Format.alignment - 1)
    if set.records.count + set.template.recordLength > room { sendFull(set, at: instant, to: &batch) }
    set.template.encode(record, at: instant, to: &set.records)
    set.flows.flows += 1
    set.flows.packets += record.packets
    set.flows.octets += record.octets
    return .appended
  }

  private func pendingSet(
    _ shape: FlowShape, at instant: ExportInstant, to batch: inout MessageBatch
  ) -> PendingSet {
    let place = places[Int(shape.rawValue)]
    if place >= 0 { return pending[Int(place)] }
    let template = Template(id: takeTemplateID(), fields: shape.fields(for: Format.dialect))
    places[Int(shape.rawValue)] = Int16(pending.count)
    let set = PendingSet(template)
    pending.append(set)
    if templatesSentAt.milliseconds != 0 { sendTemplates([template], [], at: instant, to: &batch) }
    return set
  }

  private func takeTemplateID() -> UInt16 {
    defer { nextTemplateID += 1 }
    return nextTemplateID
  }

  // MARK: Data

  private func sendFull(_ set: PendingSet, at instant: ExportInstant, to batch: inout MessageBatch) {
    beginMessage(at: instant)
    let flows = moveToMessage(set)
    endMessage(dataRecords: Int(flows.flows), templateRecords: 0, flows, at: instant, to: &batch)
  }

  func flush(at instant: ExportInstant, to batch: inout MessageBatch) -> Bool {
    var flows = FlowTotals()
    for set in pending where set.flows.flows > 0 {
      let length = Self.setHeaderLength + set.records.count + Format.alignment - 1
      if flows.flows > 0, message.count + length > messageLimit {
        endMessage(dataRecords: Int(flows.flows), templateRecords: 0, flows, at: instant, to: &batch)
        flows = FlowTotals()
      }
      if flows.flows == 0 {
        if batch.isFull { return false }
        beginMessage(at: instant)
      }
      flows.add(moveToMessage(set))
    }
    if flows.flows > 0 {
      endMessage(dataRecords: Int(flows.flows), templateRecords: 0, flows, at: instant, to: &batch)
    }
    return true
  }

  /// Makes a set's records the next Data Set of the message, and says what they are.
  private func moveToMessage(_ set: PendingSet) -> FlowTotals {
    let start = beginSet(set.template.id)
    message.append(set.records)
    endSet(start, alignment: Format.alignment)
    set.records.removeAll()
    defer { set.flows = FlowTotals() }
    return set.flows
  }

  // MARK: Messages and sets

  private func beginMessage(at instant: ExportInstant) {
    message.removeAll()
    Format.writeHeader(to: &message, sequence: sequence, domain: configuration.domain, at: instant)
  }

  private func endMessage(
    dataRecords: Int, templateRecords: Int, _ flows: FlowTotals, at instant: ExportInstant,
    to batch: inout MessageBatch
  ) {
    Format.finish(&message, records: dataRecords + templateRecords)
    sequence &+= Format.sequenceStep(dataRecords: dataRecords)
    batch.append(message, flows)
    guard dataRecords > 0 else { return }
    messagesSinceTemplates += 1
    // Ahead of the next data, whichever call that comes with.
    if flows.flows > 0, messagesSinceTemplates >= configuration.refreshRate { sendTemplates(at: instant, to: &batch) }
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
    instant.now.milliseconds - templatesSentAt.milliseconds >= configuration.refreshInterval
  }

  func sendTemplates(at instant: ExportInstant, to batch: inout MessageBatch) {
    messagesSinceTemplates = 0
    templatesSentAt = instant.now
    sendTemplates(pending.map(\.template), optionsTemplates.map(\.template), at: instant, to: &batch)
  }

  /// One Template Set and, a template each, the Options Template Sets, in as many messages as they need.
  private func sendTemplates(
    _ templates: [Template<FlowRecord>], _ options: [Template<ExporterOptions>], at instant: ExportInstant,
    to batch: inout MessageBatch
  ) {
    var count = 0
    beginMessage(at: instant)
    func makeRoom(_ length: Int) {
      guard message.count + Self.setHeaderLength + length > messageLimit, count > 0 else { return }
      endMessage(dataRecords: 0, templateRecords: count, FlowTotals(), at: instant, to: &batch)
      count = 0
      beginMessage(at: instant)
    }
    for template in templates {
      // Template id and field count, then id and length of each field (RFC 7011 section 3.4.1).
      makeRoom(4 + 4 * template.fields.count)
      let start = beginSet(Format.templateSetID)
      message.append(template.id)
      message.append(UInt16(template.fields.count))
      appendSpecifiers(template)
      endSet(start, alignment: 1)
      count += 1
    }
    for template in options {
      makeRoom(6 + 4 * template.fields.count)
      let start = beginSet(Format.optionsTemplateSetID)
      Format.writeOptionsTemplateHeader(template, to: &message)
      appendSpecifiers(template)
      endSet(start, alignment: 1)
      count += 1
    }
    if count > 0 { endMessage(dataRecords: 0, templateRecords: count, FlowTotals(), at: instant, to: &batch) }
  }

  private func appendSpecifiers<Record>(_ template: Template<Record>) {
    for field in template.fields {
      message.append(field.id)
      message.append(UInt16(field.length))
    }
  }

  private func makeTemplate(_ kind: OptionsKind) -> Template<ExporterOptions> {
    let scope = Format.scope(kind.scope)
    let field = Field<ExporterOptions>(scope.id, "scope", \.domain)
    precondition(field.length == scope.length)
    return Template(id: takeTemplateID(), fields: [field] + kind.fields, scopeCount: 1)
  }

  func append(
    _ kind: OptionsKind, _ records: [ExporterOptions], at instant: ExportInstant, to batch: inout MessageBatch
  ) {
    guard let template = optionsTemplates.first(where: { $0.kind == kind })?.template else { return }
    let overhead = Format.headerLength + Self.setHeaderLength + Format.alignment - 1
    let perMessage = max(1, (messageLimit - overhead) / template.recordLength)
    for start in stride(from: 0, to: records.count, by: perMessage) {
      let slice = records[start..<min(start + perMessage, records.count)]
      beginMessage(at: instant)
      let set = beginSet(template.id)
      for record in slice { template.encode(record, at: instant, to: &message) }
      endSet(set, alignment: Format.alignment)
      endMessage(dataRecords: slice.count, templateRecords: 0, FlowTotals(), at: instant, to: &batch)
    }
  }
}
