// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What waits for a Collector and shares its templates, in the order in which it goes: first what is in memory, then the
/// segments of the spool that are on disk alone. Not thread-safe.
final class OutgoingStream {
  /// Which run's it is; nil: this one's.
  let run: String?
  var window = SendWindow()
  /// The segments, the oldest first: those whose messages are in memory too, then the others.
  var segments: [SpoolSegment] = []
  /// What each connection begins with.
  private(set) var prelude: SessionPrelude
  /// The templates and descriptions of all messages so far: what each segment begins with.
  private(set) var announced: SessionPrelude
  /// The templates of all messages that came to memory so far.
  private var entered: SessionPrelude
  /// Of the record behind the last message.
  private(set) var nextSequence: UInt32 = 0
  /// The same of those that came to memory; nil: none has.
  private var enteredSequence: UInt32?

  /// - Parameter limit: octets of a message at most.
  init(run: String? = nil, limit: Int) {
    self.run = run
    prelude = SessionPrelude(limit: limit)
    (announced, entered) = (prelude, prelude)
  }

  /// Whether everything was acknowledged, and nothing is to be sent once more.
  var isDelivered: Bool { window.isDelivered && segments.isEmpty }

  /// Whether a part is on disk alone: what is newer must go there too.
  var hasUnloaded: Bool { segments.last?.isLoaded == false }

  /// Takes note of a message that goes to the spool alone.
  func noteSpooled(_ message: QueuedMessage) {
    announced.note(message)
    nextSequence = message.nextSequence
  }

  /// Adds a message in memory, behind the templates that the spool had no room for, or has lost.
  func append(_ message: QueuedMessage, segment: SpoolSegment? = nil) {
    if !hasUnloaded, announced.templateCount > entered.templateCount {
      let templates = announced.templates(besides: entered, sequence: message.sequence, at: message.exportTime)
      for template in templates { enter(template, segment: nil) }
    }
    enter(message, segment: segment)
  }

  private func enter(_ message: QueuedMessage, segment: SpoolSegment?) {
    announced.note(message)
    entered.note(message)
    nextSequence = message.nextSequence
    enteredSequence = message.nextSequence
    window.append(SendWindow.Entry(message, segment: segment))
  }

  /// Brings the next segment's messages into memory, but for the templates and descriptions at its beginning that came
  /// before: their numbers are those of other records then.
  func load(_ messages: [QueuedMessage], of segment: SpoolSegment) {
    segment.isLoaded = true
    segment.waiting = 0
    for message in messages {
      guard var novel = entered.novel(message) else { continue }
      if let next = enteredSequence, Int32(bitPattern: novel.sequence &- next) < 0 {
        if case .description = novel.contents.role { continue }
        if novel.contents.role == .templates { novel.sequence = next }
      }
      append(novel, segment: segment)
      segment.waiting += 1
    }
  }

  /// Has memory hold no more than so many octets of what is on disk too, as far as the connection has no use for it yet.
  func unload(to room: Int) {
    while window.waitingOctets > room, let (segment, messages) = window.unloadLast() {
      (segment.isLoaded, segment.waiting) = (false, 0)
      enteredSequence = messages.first?.sequence ?? enteredSequence
      for message in messages { entered.forget(message) }
    }
  }

  /// Lets go of messages that need not be sent again.
  func release(before time: Timestamp, room: Int) {
    window.release(before: time, room: room) { prelude.note($0) }
  }

  /// A connection has ended; see ``SendWindow/rewind(withKept:_:)``.
  func rewind(withKept: Bool) -> Int { window.rewind(withKept: withKept) { prelude.note($0) } }

  /// What a new connection begins with, ahead of the first message in memory.
  func beginning(at seconds: UInt32) -> [QueuedMessage] {
    prelude.messages(before: window.next?.sequence ?? nextSequence, at: seconds)
  }
}
