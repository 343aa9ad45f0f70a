// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// NAT events on their way from who reads them to who exports them: any thread.
///
/// Bounded: who looks at ``room`` first loses nothing; what is appended beyond it is dropped and counted.
public final class NATEventLog: Sendable {
  private struct Queue {
    var events: [NATEvent] = []
    var dropped: UInt64 = 0
  }

  private let queue = Mutex(Queue())
  private let capacity: Int

  /// - Parameter capacity: how many events may wait; default 262 144, about 40 MB.
  public init(capacity: Int = 262_144) { self.capacity = capacity }

  /// Events that were dropped since the start.
  public var dropped: UInt64 { queue.withLock { $0.dropped } }

  /// How many events can be appended now.
  public var room: Int { queue.withLock { max(0, capacity - $0.events.count) } }

  /// Adds events, oldest first.
  ///
  /// - Returns: whether the exporter should take them soon: half of what may wait is there.
  @discardableResult
  public func append(_ events: [NATEvent]) -> Bool {
    queue.withLock {
      let room = min(events.count, max(0, capacity - $0.events.count))
      $0.events.append(contentsOf: events.prefix(room))
      $0.dropped += UInt64(events.count - room)
      return $0.events.count * 2 >= capacity
    }
  }

  /// Takes all events: `events` gets them, and the log its memory.
  public func take(into events: inout [NATEvent]) {
    events.removeAll(keepingCapacity: true)
    queue.withLock { swap(&$0.events, &events) }
  }
}
