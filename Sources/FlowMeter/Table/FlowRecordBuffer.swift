// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns one allocation of `capacity` records, of which the first `count` are initialised; every access is
// checked against `count`.

/// The records that one visit to the table brings out: memory that is filled and emptied again and again.
///
/// Not thread-safe; belongs to who takes the records.
@safe public struct FlowRecordBuffer: ~Copyable, @unchecked Sendable {
  private let storage: UnsafeMutablePointer<FlowRecord>
  /// How many records it holds at most.
  public let capacity: Int
  /// How many records are in it.
  public private(set) var count = 0

  /// - Parameter capacity: how many records it holds; default 256, which is also how many leave a stripe under one
  ///   lock.
  public init(capacity: Int = 256) {
    precondition(capacity > 0)
    self.capacity = capacity
    unsafe storage = .allocate(capacity: capacity)
  }

  deinit { unsafe storage.deallocate() }

  /// Whether no more records go in.
  public var isFull: Bool { count == capacity }

  /// A record by its number, below ``count``.
  public subscript(index: Int) -> FlowRecord {
    @inline(__always)
    unsafeAddress {
      precondition(index >= 0 && index < count)
      return unsafe UnsafePointer(storage + index)
    }
    @inline(__always)
    unsafeMutableAddress {
      precondition(index >= 0 && index < count)
      return unsafe storage + index
    }
  }

  /// Calls `body` with each record, in their order.
  public func forEach(_ body: (FlowRecord) -> Void) {
    for i in 0..<count { body(self[i]) }
  }

  /// Where the ``count`` records lie as long as the buffer is not changed: for those who read some of each, without a
  /// copy.
  @unsafe package var start: UnsafePointer<FlowRecord> { unsafe UnsafePointer(storage) }

  /// Adds a record.
  ///
  /// - Precondition: the buffer is not full.
  public mutating func append(_ record: FlowRecord) {
    precondition(count < capacity)
    unsafe (storage + count).initialize(to: record)
    count += 1
  }

  /// Adds a record that is filled where it lies.
  @inline(__always)
  mutating func append(_ fill: (inout FlowRecord) -> Void) {
    precondition(count < capacity)
    unsafe (storage + count).initialize(to: FlowRecord())
    unsafe fill(&storage[count])
    count += 1
  }

  /// Forgets the records, and keeps the memory.
  public mutating func removeAll() { count = 0 }
}
