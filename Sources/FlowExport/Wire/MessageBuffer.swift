// SPDX-License-Identifier: Apache-2.0
//
// The one place where octets are written.
//
// Unsafe: owns one allocation; every append is checked against its end, and a reserved region is written only within
// the length that was checked when it was reserved.

/// Octets in network order, in memory that is filled and emptied again and again.
///
/// Not thread-safe. An append beyond the capacity traps: encoders ask for room before they write.
@safe struct MessageBuffer: ~Copyable, @unchecked Sendable {
  private let storage: UnsafeMutableRawPointer
  let capacity: Int
  private(set) var count = 0

  init(capacity: Int) {
    self.capacity = capacity
    unsafe storage = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit { unsafe storage.deallocate() }

  var room: Int { capacity - count }

  var bytes: UnsafeRawPointer { unsafe UnsafeRawPointer(storage) }

  /// What has been written, as a copy.
  var copy: [UInt8] { unsafe Array(UnsafeRawBufferPointer(start: storage, count: count)) }

  /// A part of that, as a copy.
  func copy(_ range: Range<Int>) -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return unsafe Array(UnsafeRawBufferPointer(start: storage + range.lowerBound, count: range.count))
  }

  mutating func removeAll() { count = 0 }

  /// Takes back everything from `length` on.
  mutating func truncate(to length: Int) {
    precondition(length >= 0 && length <= count)
    count = length
  }

  @inline(__always)
  mutating func append<Value: WireValue>(_ value: Value) {
    unsafe value.write(to: reserve(Value.wireLength))
  }

  mutating func append(zeros length: Int) {
    unsafe reserve(length).initializeMemory(as: UInt8.self, repeating: 0, count: length)
  }

  mutating func append(_ octets: [UInt8]) {
    unsafe octets.withUnsafeBytes { unsafe reserve($0.count).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }

  mutating func append(_ other: borrowing MessageBuffer, from start: Int = 0) {
    let length = other.count - start
    precondition(start >= 0 && length >= 0)
    unsafe reserve(length).copyMemory(from: other.storage + start, byteCount: length)
  }

  /// Writes a value over what was written at `offset`: a length or a count that was not known before.
  mutating func patch<Value: WireValue>(_ value: Value, at offset: Int) {
    precondition(offset >= 0 && offset + Value.wireLength <= count)
    unsafe value.write(to: storage + offset)
  }

  /// Makes room for `length` octets, which the caller writes all.
  @inline(__always)
  @unsafe mutating func reserve(_ length: Int) -> UnsafeMutableRawPointer {
    precondition(length >= 0 && length <= room)
    let start = unsafe storage + count
    count += length
    return unsafe start
  }
}
