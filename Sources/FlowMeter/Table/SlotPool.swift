// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns four mappings, `capacity` elements each; hands out index ranges that never overlap.

internal import CShims
internal import Glibc
internal import Synchronization

/// Address space, reserved at once and backed by memory only where it is touched.
///
/// The table never moves what it holds: growing is touching the next page.
@safe struct Reservation: ~Copyable, @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  private let length: Int

  /// - Parameter hugePages: asks for transparent huge pages (2 MiB), where a table is large and packed.
  /// - Throws: ENOMEM where the address space, or what the system promises of memory, is exhausted.
  init(bytes: Int, hugePages: Bool = false) throws(SystemError) {
    let huge = 2 << 20
    length = (bytes + 2 * huge - 1) / huge * huge
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let mapping = unsafe mmap(nil, length, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let mapping = unsafe mapping, Int(bitPattern: mapping) != cshims_map_failed() else { throw .last }
    unsafe base = mapping
    if hugePages { unsafe madvise(mapping, length, MADV_HUGEPAGE) }
  }

  deinit { unsafe munmap(base, length) }

  /// Has the system back a part with memory (Linux 5.14; before, nothing happens), while others use it.
  func populate(_ part: Range<Int>) {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let start = part.lowerBound / page * page
    let end = min(length, (part.upperBound + page - 1) / page * page)
    if start < end { unsafe madvise(base + start, end - start, Self.populateForWriting) }
  }

  /// MADV_POPULATE_WRITE, which older headers do not have.
  private static let populateForWriting: Int32 = 23
}

/// The memory of all Flows of one IP version: for each a slot of one size, a link and, for those that have them, a detail
/// and labels; shared by the stripes.
///
/// A stripe claims slots by the chunk and keeps those it frees. Slot 0 is never handed out: 0 means none.
final class SlotPool: Sendable {
  static let chunk = 64

  private let slots: Reservation
  private let links: Reservation
  private let detailed: Reservation
  private let labelled: Reservation
  private let claimed = Atomic<Int>(1)
  private let ahead = Mutex((claimed: 1, populated: 1))
  private let capacity: Int
  private let stride: Int

  init(stride: Int, capacity: Int) throws(SystemError) {
    self.capacity = capacity + 1
    self.stride = stride
    slots = try Reservation(bytes: (capacity + 1) * stride, hugePages: true)
    links = try Reservation(bytes: (capacity + 1) * MemoryLayout<UInt32>.stride)
    detailed = try Reservation(bytes: (capacity + 1) * MemoryLayout<PacketDetail>.stride, hugePages: true)
    labelled = try Reservation(bytes: (capacity + 1) * MemoryLayout<MPLSLabelStack>.stride, hugePages: true)
  }

  var base: UnsafeMutableRawPointer { unsafe slots.base }
  var next: UnsafeMutablePointer<UInt32> { unsafe links.base.assumingMemoryBound(to: UInt32.self) }
  /// Touched for Flows whose first packet has a detail, and no others.
  var details: UnsafeMutablePointer<PacketDetail> {
    unsafe detailed.base.assumingMemoryBound(to: PacketDetail.self)
  }
  /// Touched for Flows that have labels, and no others.
  var labels: UnsafeMutablePointer<MPLSLabelStack> {
    unsafe labelled.base.assumingMemoryBound(to: MPLSLabelStack.self)
  }

  /// What is in use of it, bytes.
  func memory(hasDetails: Bool, hasLabels: Bool) -> Int {
    (claimed.load(ordering: .relaxed) - 1) * Self.memory(stride: stride, hasDetails: hasDetails, hasLabels: hasLabels)
  }

  /// What one Flow takes, bytes.
  static func memory(stride: Int, hasDetails: Bool, hasLabels: Bool) -> Int {
    stride + MemoryLayout<UInt32>.stride + (hasDetails ? MemoryLayout<PacketDetail>.stride : 0)
      + (hasLabels ? MemoryLayout<MPLSLabelStack>.stride : 0)
  }

  /// Has the system back the slots that are claimed next with memory: as many again as were since the last call, at
  /// most 2¹⁸.
  func populateAhead() {
    ahead.withLock { last in
      let now = claimed.load(ordering: .relaxed)
      let wanted = min(capacity, now + min(max(now - last.claimed, Self.leastAhead), Self.mostAhead))
      let part = max(now, last.populated)..<max(now, last.populated, wanted)
      // Who has had no Flow of a version takes no memory for more.
      guard now > 1 else { return }
      last = (now, part.upperBound)
      guard !part.isEmpty else { return }
      slots.populate(part.lowerBound * stride..<part.upperBound * stride)
      links.populate(part.lowerBound * MemoryLayout<UInt32>.stride..<part.upperBound * MemoryLayout<UInt32>.stride)
    }
  }

  /// A quarter of a huge page; and what is cleared in some ten milliseconds.
  private static let leastAhead = 8192
  private static let mostAhead = 1 << 18

  /// The next chunk of slots that nobody has had.
  func claim() -> Range<UInt32> {
    let first = claimed.add(Self.chunk, ordering: .relaxed).oldValue
    precondition(first + Self.chunk <= capacity, "a stripe took more slots than its share")
    return UInt32(first)..<UInt32(first + Self.chunk)
  }
}
