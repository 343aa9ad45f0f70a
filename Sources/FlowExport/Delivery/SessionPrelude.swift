// SPDX-License-Identifier: Apache-2.0

/// What a new connection is told ahead of the first message that waits: the templates and the descriptions in messages that
/// earlier connections took (RFC 7011 section 8: of a Transport Session over TCP each begins with nothing).
struct SessionPrelude {
  private let limit: Int
  /// Of the messages that were noted.
  private var domain: UInt32 = 0
  /// Template Sets and Options Template Sets, in the order in which they were announced.
  private var sets: [[UInt8]] = []
  private var descriptions: [(kind: OptionsKind, message: QueuedMessage)] = []

  /// - Parameter limit: octets of a message at most.
  init(limit: Int) { self.limit = limit }

  /// Takes note of a message that no later connection is sent any more.
  mutating func note(_ message: QueuedMessage) {
    switch message.contents.role {
    case .data: break
    case .templates:
      domain = message.domain
      sets += message.sets.filter { !sets.contains($0) }
    case .description(let kind):
      // Of interfaces there is a message each time that one has changed; all are told of behind the system.
      descriptions.removeAll { $0.kind == kind && kind != .interface || kind == .system && $0.kind == .interface }
      descriptions.append((kind, message))
    }
  }

  /// Takes back what was noted of a message's templates.
  mutating func forget(_ message: QueuedMessage) {
    guard message.contents.role == .templates else { return }
    let gone = message.sets
    sets.removeAll { gone.contains($0) }
  }

  /// The message without the templates that were noted; nil where nothing is left of it.
  func novel(_ message: QueuedMessage) -> QueuedMessage? {
    guard message.contents.role == .templates else { return message }
    let novel = message.sets.filter { !sets.contains($0) }
    guard !novel.isEmpty else { return nil }
    return QueuedMessage(
      body: novel.flatMap(\.self), domain: message.domain, sequence: message.sequence, at: message.exportTime)
  }

  /// The messages, numbered so that a Collector sees no gap ahead of the Data Record with number `sequence`.
  ///
  /// - Parameter seconds: the export time, since 1970.
  func messages(before sequence: UInt32, at seconds: UInt32) -> [QueuedMessage] {
    let records = descriptions.reduce(UInt32(0)) { $0 &+ $1.message.contents.records }
    var next = sequence &- records
    var messages = templates(sequence: next, at: seconds)
    for (_, description) in descriptions {
      var message = description
      (message.sequence, message.exportTime) = (next, seconds)
      next = message.nextSequence
      messages.append(message)
    }
    return messages
  }

  /// How many sets of templates were noted.
  var templateCount: Int { sets.count }

  /// The templates alone, but for those that another one has noted too.
  func templates(besides other: SessionPrelude? = nil, sequence: UInt32, at seconds: UInt32) -> [QueuedMessage] {
    var messages: [QueuedMessage] = []
    var body: [UInt8] = []
    func end() {
      guard !body.isEmpty else { return }
      messages.append(QueuedMessage(body: body, domain: domain, sequence: sequence, at: seconds))
      body = []
    }
    for set in sets where !(other?.sets.contains(set) ?? false) {
      if IPFIXMessage.headerLength + body.count + set.count > limit { end() }
      body += set
    }
    end()
    return messages
  }
}

extension QueuedMessage {
  /// A message of templates.
  init(body: [UInt8], domain: UInt32, sequence: UInt32, at seconds: UInt32) {
    var header = MessageBuffer(capacity: IPFIXMessage.headerLength)
    IPFIXMessage.writeHeader(
      to: &header, length: UInt16(IPFIXMessage.headerLength + body.count), seconds: seconds, sequence: sequence,
      domain: domain)
    self.init(octets: header.copy + body, contents: MessageBatch.Contents(role: .templates))
  }

  /// The Sets in it, each with its header.
  var sets: [[UInt8]] {
    let sets = unsafe IPFIXMessage.sets(in: octets.span.bytes, 0..<octets.count) ?? []
    return sets.map { Array(octets[$0]) }
  }
}
