// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here throws, logs or reads a clock, or allocates once the table has its size.
//
// Unsafe: the entries are raw memory that the table reserved for this stripe, of which as many are meant as `end` says;
// who calls holds the stripe's lock. Another thread may read shape and entries without it, for addresses to prefetch.

internal import CShims

/// The hash index of one stripe: from a Flow's hash to its slot.
///
/// **Held.** Open addressing with linear probing; deletion shifts back. An entry is a tag, the hash's low 32 bits, beside
/// a slot reference; 0 is no entry. The tag's high bits are its place (``Shape/home(of:)``), and an entry stands at its
/// place or behind it with no empty one between. Behind the last place there is room for what is probed past it: no
/// probe begins again at the front.
///
/// **Growth.** The index doubles when five eighths are used, where it stands, a few entries with each Flow that begins,
/// so that no packet waits for all of it. Since places are in the order of tags, the entries of place p go to 2p and
/// 2p + 1; they are moved from the last place to the first, and a tag below the limit that has been reached still has
/// its old place. Memory is touched as it goes.
///
/// **Memory.** The indexes of all stripes lie between one another (``Places``).
@safe struct FlowIndex: ~Copyable {
  /// It starts with this many places at the least.
  static let smallestLength = 256
  /// How much room there is behind the last place. That so many entries stand one behind the other is a chance of 10⁻¹⁶
  /// in the largest index there can be.
  static let overflow = 1024
  /// How many places are emptied with a Flow that begins: the growth is complete long before the next one is due.
  private static let step = 16

  /// Where tags have their places: one word, so that who has no lock sees one that was true.
  struct Shape {
    /// Below 2⁶: how far tags are shifted down to their places. Above: the limit, in places of the new length.
    let rawValue: UInt64

    @inline(__always)
    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// - Parameters:
    ///   - length: how many places there are; a power of two.
    ///   - limit: tags that would have a place below it have the one that they had when the index was half as long.
    init(length: Int, limit: Int = 0) {
      rawValue = UInt64(32 - length.trailingZeroBitCount) | UInt64(limit) << 6
    }

    @inline(__always)
    var shift: UInt64 { rawValue & 63 }
    @inline(__always)
    var limit: UInt64 { rawValue >> 6 }
    var length: Int { 1 << (32 - Int(shift)) }

    /// The place of a tag.
    @inline(__always)
    func home(of tag: UInt64) -> Int {
      let place = tag >> shift
      return Int(truncatingIfNeeded: place < limit ? place >> 1 : place)
    }

    /// The first tag that has another place than this one, behind it.
    func tagBehind(placeOf tag: UInt64) -> UInt64 {
      let width = tag >> shift < limit ? shift + 1 : shift
      return ((tag >> width) + 1) << width
    }
  }

  /// Where the entries of a stripe are: page by page between those of the others. What is in use of all indexes, the
  /// first places of each, is one dense piece of memory, which huge pages back from the beginning: a thread that sleeps
  /// between two bursts of packets finds few translations of addresses left.
  @safe struct Places {
    /// How many entries of a stripe lie together: those of a page of 4 KiB.
    fileprivate static let page = 512

    private let first: UnsafeMutablePointer<UInt64>
    private let stripeBits: Int

    /// - Parameters:
    ///   - memory: for ``FlowIndex/reservedPlaces(mostLength:)`` entries of each stripe.
    ///   - stripe: which one.
    ///   - stripeBits: the logarithm of how many stripes there are.
    @inline(__always)
    init(_ memory: UnsafeMutablePointer<UInt64>, stripe: Int, stripeBits: Int) {
      unsafe first = memory + stripe &* Self.page
      self.stripeBits = stripeBits
    }

    @inline(__always)
    func address(_ position: Int) -> UnsafeMutablePointer<UInt64> {
      unsafe first + ((position & ~(Self.page - 1)) &<< stripeBits + position & (Self.page - 1))
    }
  }

  /// How many entries memory is reserved for, a stripe.
  static func reservedPlaces(mostLength: Int) -> Int {
    (mostLength + overflow + Places.page - 1) / Places.page * Places.page
  }

  private let places: Places
  /// The shape, for those who prefetch without the lock.
  private let hint: UnsafeMutablePointer<UInt64>
  private let mostLength: Int
  private(set) var shape: Shape { didSet { unsafe hint.pointee = shape.rawValue } }

  /// - Parameters:
  ///   - places: memory for entries, all 0.
  ///   - hint: where the shape is shown.
  ///   - length: how many places there are at first; a power of two.
  init(
    _ places: Places, hint: UnsafeMutablePointer<UInt64>, length: Int, mostLength: Int
  ) {
    self.places = places
    unsafe self.hint = unsafe hint
    self.mostLength = mostLength
    shape = Shape(length: length)
    unsafe hint.pointee = shape.rawValue
  }

  /// How many places there are.
  var length: Int { shape.length }

  /// Behind all that is in use; the last place before it stays empty, so that a probe ends.
  var end: Int { shape.length + Self.overflow }

  /// An entry by where it stands, below ``end``; 0 is none.
  @inline(__always)
  private(set) subscript(position: Int) -> UInt64 {
    get { unsafe places.address(position).pointee }
    nonmutating set { unsafe places.address(position).pointee = newValue }
  }

  @inline(__always)
  static func tag(_ hash: UInt64) -> UInt64 { UInt64(UInt32(truncatingIfNeeded: hash)) }

  @inline(__always)
  static func tag(ofEntry entry: UInt64) -> UInt64 { entry >> 32 }

  @inline(__always)
  static func reference(_ entry: UInt64) -> SlotReference {
    SlotReference(rawValue: UInt32(truncatingIfNeeded: entry))
  }

  @inline(__always)
  func prefetch(_ hash: UInt64) { unsafe cshims_prefetch(places.address(shape.home(of: Self.tag(hash)))) }

  /// The first empty place for a tag; nil where there is none, which nobody will see.
  @inline(__always)
  func freePosition(for tag: UInt64) -> Int? {
    var position = shape.home(of: tag)
    while self[position] != 0 { position += 1 }
    return position < end - 1 ? position : nil
  }

  /// Writes an entry where ``freePosition(for:)`` is.
  @inline(__always)
  func set(_ tag: UInt64, _ reference: SlotReference, at position: Int) {
    self[position] = tag << 32 | UInt64(reference.rawValue)
  }

  /// Removes the entry of a slot, and shifts back those behind it that probed past its place.
  func remove(_ reference: SlotReference, hash: UInt64) {
    var hole = shape.home(of: Self.tag(hash))
    while Self.reference(self[hole]) != reference { hole += 1 }
    var position = hole + 1
    while true {
      let entry = self[position]
      if entry == 0 { break }
      if shape.home(of: Self.tag(ofEntry: entry)) <= hole {
        self[hole] = entry
        hole = position
      }
      position += 1
    }
    self[hole] = 0
  }

  // MARK: Growth

  /// Sees to it that there is room for one more among so many.
  ///
  /// - Returns: whether entries may have moved.
  @inline(__always)
  mutating func grow(for count: Int) -> Bool {
    if shape.limit != 0 {
      moveSome()
      return true
    }
    guard count * 8 > length * 5, length < mostLength else { return false }
    // At first all tags have their old places.
    shape = Shape(length: 2 * length, limit: 2 * length)
    moveSome()
    return true
  }

  /// Moves the entries of the last places that have not been, to where they are from now on.
  @inline(never)
  private mutating func moveSome() {
    let last = Int(shape.limit / 2)
    var first = max(0, last - Self.step)
    // What stands behind an empty place has its own place behind it too.
    while first > 0, self[first - 1] != 0 { first -= 1 }
    var (behind, count) = (first, 0)
    while behind < last || self[behind] != 0 {
      if self[behind] != 0 { count += 1 }
      behind += 1
    }
    unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: count) { moved in
      var next = 0
      for position in first..<behind where self[position] != 0 {
        unsafe moved[next] = self[position]
        self[position] = 0
        next += 1
      }
      shape = Shape(length: length, limit: 2 * first)
      for place in 0..<next {
        let tag = unsafe Self.tag(ofEntry: moved[place])
        guard let position = freePosition(for: tag) else { preconditionFailure("an index of half its entries is full") }
        self[position] = unsafe moved[place]
      }
    }
  }
}
