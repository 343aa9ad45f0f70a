// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// A connection to a Collector from its first attempt to its end, and what was made ready for it.
///
/// Not thread-safe.
final class OutgoingConnection {
  private let stream: StreamConnection
  private let begun: Timestamp
  private var openedAt: Timestamp?
  /// Octets that it is to write next.
  private var staged: [UInt8] = []
  private var stagedStart = 0
  private var writtenOctets: UInt64 = 0
  /// Nothing more is sent: what was is to be acknowledged until then.
  private var endsBy: Timestamp?
  private var hasEndedSending = false
  /// Whether it ends by our wish, and another connection is to follow at once.
  private(set) var isOurEnd = false

  /// Whether the Collector has said that it says no more: it has read what came before.
  private(set) var hasPeerEnded = false

  /// How long it may take to come to be. Milliseconds.
  private static let attempt: Int64 = 10_000
  /// How long what is in flight has to be acknowledged behind an orderly end. Milliseconds.
  private static let ending: Int64 = 2000
  /// How much is made ready at a time. Octets.
  private static let stage = 1 << 16

  init(_ stream: StreamConnection, at now: Timestamp) { (self.stream, begun) = (stream, now) }

  /// Whether messages may be sent, or were.
  var isOpen: Bool { stream.isOpen }
  /// Where it leads to.
  var remote: ResolvedAddress { stream.remote }
  /// The socket's send buffer. Bytes, as the kernel reckons.
  var sendBuffer: Int { stream.sendBuffer }
  /// Octets in it that are not acknowledged.
  var unacknowledged: Int { stream.unacknowledged }
  /// Octets that the peer's TCP has acknowledged.
  var acknowledged: UInt64 { stream.acknowledged }

  /// Goes on until messages may be sent.
  ///
  /// - Returns: whether that is so.
  func advance(at now: Timestamp) throws(StreamFailure) -> Bool {
    try stream.advance(at: now)
    guard stream.isOpen else {
      guard now.milliseconds - begun.milliseconds < Self.attempt else {
        throw StreamFailure(reason: "no answer within \(Self.attempt / 1000) s")
      }
      return false
    }
    openedAt = now
    return true
  }

  /// How long it has been open. Milliseconds; 0 before it was.
  func age(at now: Timestamp) -> Int64 { openedAt.map { now.milliseconds - $0.milliseconds } ?? 0 }

  /// Takes what the Collector says, which means nothing. True once it says no more.
  func takeWords() throws(StreamFailure) -> Bool {
    hasPeerEnded = try stream.takeWords()
    return hasPeerEnded
  }

  // MARK: Sending

  /// Makes octets ready that are no message's of the window.
  func stage(_ octets: [UInt8]) { staged += octets }

  /// Writes what is ready, then what waits in the window, as far as there is room.
  func send(_ window: inout SendWindow) throws(StreamFailure) {
    while true {
      while !isEnding, staged.count - stagedStart < Self.stage, let message = window.next {
        staged += message.octets
        window.stageNext()
      }
      guard stagedStart < staged.count else {
        if isEnding, !hasEndedSending { endSending() }
        return
      }
      let count = try stream.write(staged, from: stagedStart)
      guard count > 0 else { return }
      stagedStart += count
      writtenOctets += UInt64(count)
      window.wrote(writtenOctets, wire: stream.written)
      if stagedStart == staged.count {
        staged.removeAll(keepingCapacity: true)
        stagedStart = 0
      } else if stagedStart >= Self.stage {
        staged.removeFirst(stagedStart)
        stagedStart = 0
      }
    }
  }

  /// For poll(2): what there is to wait for; nil where nothing tells of that.
  func entry(hasNext: Bool) -> pollfd? {
    isEnding ? nil : stream.entry(hasMore: stagedStart < staged.count || hasNext)
  }

  // MARK: The end

  /// Whether nothing more is begun on it.
  var isEnding: Bool { endsBy != nil }

  /// Begins nothing more; what was is to be acknowledged. A second time it does nothing.
  ///
  /// - Parameter isOurs: whether another connection is to follow at once.
  func end(at now: Timestamp, isOurs: Bool = false) {
    guard !isEnding else { return }
    (endsBy, isOurEnd) = (now.advanced(byMilliseconds: Self.ending), isOurs)
  }

  /// Says that nothing more comes: a second time it does nothing.
  func endSending() {
    if !hasEndedSending { stream.endSending() }
    hasEndedSending = true
  }

  /// Whether all was acknowledged behind its end, or the time for that is over.
  func isOver(at now: Timestamp) -> Bool {
    endsBy.map { now >= $0 || hasEndedSending && stream.unacknowledged == 0 } ?? false
  }
}
