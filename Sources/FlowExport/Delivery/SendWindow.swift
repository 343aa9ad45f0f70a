// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The messages of a stream that are in memory, in their order: kept, in flight, and not sent yet.
///
///     first ≤ acknowledged ≤ written ≤ staged ≤ end
///
/// Messages that the peer's TCP has acknowledged are kept for a while: where a connection ends with a reset, its program may
/// not have read them. Not thread-safe.
struct SendWindow {
  /// A message and where it is on its way.
  struct Entry {
    var message: QueuedMessage
    /// The segment of the spool that has it too; nil: it is in memory alone.
    var segment: SpoolSegment?
    /// The octet behind it in what was staged for the connection.
    fileprivate var stagedEnd: UInt64 = 0
    /// The octet behind it in what the connection wrote.
    fileprivate var wireEnd: UInt64 = 0
    fileprivate var acknowledgedAt = Timestamp(milliseconds: 0)

    init(_ message: QueuedMessage, segment: SpoolSegment? = nil) { (self.message, self.segment) = (message, segment) }
  }

  private var entries: [Entry] = []
  /// Where the first is in `entries`; those before it are gone.
  private var first = 0
  private var acknowledgedEnd = 0
  private var writtenEnd = 0
  private var stagedEnd = 0
  /// The first that was never acknowledged: behind `acknowledgedEnd` where some are sent once more.
  private var deliveredEnd = 0
  private var stagedOctets: UInt64 = 0

  /// Of messages that were never acknowledged.
  private(set) var waitingOctets = 0
  /// Of those that were, and are kept.
  private(set) var keptOctets = 0

  /// Whether every message was acknowledged, and none is to be sent once more.
  var isDelivered: Bool { acknowledgedEnd == entries.count }
  /// Whether every message was staged.
  var isStaged: Bool { stagedEnd == entries.count }
  /// Whether something was staged that is not acknowledged.
  var isInFlight: Bool { acknowledgedEnd < stagedEnd }

  /// The first message that the next connection, or this one, is to be sent.
  var next: QueuedMessage? { isStaged ? nil : entries[stagedEnd].message }

  /// Of those of them that are in memory alone.
  private(set) var unspooledOctets = 0

  mutating func append(_ entry: Entry) {
    entries.append(entry)
    if entry.segment == nil { unspooledOctets += entry.message.octets.count }
    waitingOctets += entry.message.octets.count
  }

  /// Takes note that the next message was staged, behind all that was before.
  mutating func stageNext() {
    stagedOctets += UInt64(entries[stagedEnd].message.octets.count)
    entries[stagedEnd].stagedEnd = stagedOctets
    stagedEnd += 1
  }

  /// The same of octets that are no message's of the window.
  mutating func stage(_ octets: Int) { stagedOctets += UInt64(octets) }

  /// Takes note that the connection took `octets` of what was staged since its beginning, and wrote `wire` octets for all.
  mutating func wrote(_ octets: UInt64, wire: UInt64) {
    while writtenEnd < stagedEnd, entries[writtenEnd].stagedEnd <= octets {
      entries[writtenEnd].wireEnd = wire
      writtenEnd += 1
    }
  }

  /// Takes note that the peer has acknowledged `wire` octets, and shows each entry that it has now and had not before.
  mutating func acknowledge(_ wire: UInt64, at now: Timestamp, _ show: (Entry) -> Void) {
    while acknowledgedEnd < writtenEnd, entries[acknowledgedEnd].wireEnd <= wire {
      entries[acknowledgedEnd].acknowledgedAt = now
      if acknowledgedEnd == deliveredEnd {
        let octets = entries[acknowledgedEnd].message.octets.count
        waitingOctets -= octets
        keptOctets += octets
        if entries[acknowledgedEnd].segment == nil { unspooledOctets -= octets }
        show(entries[acknowledgedEnd])
        deliveredEnd += 1
      }
      acknowledgedEnd += 1
    }
  }

  /// Lets go of acknowledged messages, the oldest first: those of before a time, and what is beyond `room` octets.
  mutating func release(before time: Timestamp, room: Int, _ show: (QueuedMessage) -> Void) {
    while first < acknowledgedEnd, keptOctets > room || entries[first].acknowledgedAt < time {
      keptOctets -= entries[first].message.octets.count
      show(entries[first].message)
      entries[first].message.octets = []
      first += 1
    }
    guard first > 1024, first > entries.count / 2 else { return }
    entries.removeFirst(first)
    acknowledgedEnd -= first
    writtenEnd -= first
    stagedEnd -= first
    deliveredEnd -= first
    first = 0
  }

  /// A connection has ended: the next one begins with the first message that is not acknowledged, or with those that are
  /// kept.
  ///
  /// - Returns: how many messages are sent once more.
  mutating func rewind(withKept: Bool, _ show: (QueuedMessage) -> Void) -> Int {
    if !withKept { release(before: Timestamp(milliseconds: .max), room: 0, show) }
    let again = stagedEnd - first
    (acknowledgedEnd, writtenEnd, stagedEnd, stagedOctets) = (first, first, first, 0)
    return again
  }

  /// Entries that were never acknowledged, in their order.
  func forEachWaiting(_ body: (Entry) -> Void) { for place in deliveredEnd..<entries.count { body(entries[place]) } }

  /// Messages that were acknowledged, and have been lost with a connection since: until they are acknowledged again.
  var again: [QueuedMessage] { entries[acknowledgedEnd..<deliveredEnd].map(\.message) }

  /// Takes the messages of the last segment out of memory, where none of them was staged for the connection.
  ///
  /// - Returns: the segment and its messages; nil where there is no such segment.
  mutating func unloadLast() -> (segment: SpoolSegment, messages: [QueuedMessage])? {
    guard let segment = entries.last?.segment else { return nil }
    let start = entries.lastIndex { $0.segment !== segment }.map { $0 + 1 } ?? 0
    guard start >= stagedEnd, start >= deliveredEnd, start > first else { return nil }
    let messages = entries[start...].map(\.message)
    entries.removeLast(entries.count - start)
    waitingOctets -= messages.reduce(0) { $0 + $1.octets.count }
    return (segment, messages)
  }

  /// Gives those of them that are in memory alone to `body`, which says which segment has each now too; nil ends it.
  mutating func spoolWaiting(_ body: (QueuedMessage) -> SpoolSegment?) {
    for place in deliveredEnd..<entries.count where entries[place].segment == nil {
      guard let segment = body(entries[place].message) else { return }
      entries[place].segment = segment
      unspooledOctets -= entries[place].message.octets.count
    }
  }
}
