// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns one allocation of buckets; positions are masked to its size.

/// Buckets of Flows by the time at which they may end, 256 ms each: see ``FlowStore``.
@safe struct FlowWheel: ~Copyable {
  /// 2⁸ ms: how late a timeout may be noticed.
  static let tickShift: Int64 = 8
  /// A Flow whose deadline lies farther off waits in the last bucket and is looked at again from there.
  static let mostBuckets = 4096

  /// A chain of Flows, by the links of their slots.
  struct Bucket {
    var first = SlotReference.none
    /// Of no meaning where there is no first.
    var last = SlotReference.none
  }

  private let buckets: UnsafeMutablePointer<Bucket>
  let bucketCount: Int64
  /// The earliest tick whose bucket has not been emptied; nil before the first Flow.
  private(set) var cursor: Int64?

  /// - Parameter now: where time is; nil: the first Flow says so.
  init(horizonMilliseconds: Int64, from now: Timestamp? = nil) {
    cursor = now.map { Self.tick($0.milliseconds) }
    let wanted = Int(horizonMilliseconds >> Self.tickShift) + 3
    var count = 8
    while count < wanted, count < Self.mostBuckets { count *= 2 }
    bucketCount = Int64(count)
    unsafe buckets = .allocate(capacity: count)
    unsafe buckets.initialize(repeating: Bucket(), count: count)
  }

  deinit { unsafe buckets.deallocate() }

  @inline(__always)
  static func tick(_ milliseconds: Int64) -> Int64 { milliseconds >> tickShift }

  /// The bucket of a deadline: never one that has been emptied, never beyond the last.
  @inline(__always)
  mutating func tick(forDeadline deadline: Int64) -> Int64 {
    let tick = Self.tick(deadline)
    guard let cursor else {
      // The first Flow says where time is; Flows may end before its own deadline by packets stamped earlier.
      self.cursor = tick &- (bucketCount - 1)
      return tick
    }
    return min(max(tick, cursor), cursor &+ bucketCount &- 1)
  }

  @inline(__always)
  subscript(tick: Int64) -> SlotReference {
    get { unsafe bucket(tick).pointee.first }
    nonmutating set { unsafe bucket(tick).pointee.first = newValue }
  }

  /// Puts a Flow to the front of a bucket.
  ///
  /// - Returns: the one that is behind it now.
  @inline(__always)
  func push(_ reference: SlotReference, to tick: Int64) -> SlotReference {
    let bucket = unsafe bucket(tick)
    let behind = unsafe bucket.pointee.first
    if behind == .none { unsafe bucket.pointee.last = reference }
    unsafe bucket.pointee.first = reference
    return behind
  }

  /// Empties a bucket.
  func take(_ tick: Int64) -> Bucket {
    let bucket = unsafe bucket(tick)
    defer { unsafe bucket.pointee = Bucket() }
    return unsafe bucket.pointee
  }

  @inline(__always)
  private func bucket(_ tick: Int64) -> UnsafeMutablePointer<Bucket> {
    unsafe buckets + Int(truncatingIfNeeded: tick & (bucketCount &- 1))
  }

  /// Goes on to the next bucket that has Flows, at most to `end`; nil looks at all. False where there is none before it.
  mutating func advance(before end: Int64?) -> Bool {
    guard let first = cursor else { return false }
    let last = min(end ?? .max, first &+ bucketCount)
    var tick = first
    while tick < last {
      if self[tick] != .none {
        cursor = tick
        return true
      }
      tick += 1
    }
    // Empty, or nothing before the end: time has passed all the same.
    if let end { jump(to: end) }
    return false
  }

  /// Whether so much time has passed by `end` that every bucket is due.
  func isOverrun(by end: Int64) -> Bool { cursor.map { end &- $0 > bucketCount } ?? false }

  /// Time has come to `end`; the buckets before it are empty.
  mutating func jump(to end: Int64) {
    if let cursor, end > cursor { self.cursor = end }
  }
}
