// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("The hash index of a stripe")
struct FlowIndexTests {
  /// The indexes of as many stripes as there are, between one another in one memory.
  @safe final class Memory {
    let entries: UnsafeMutablePointer<UInt64>
    let stripeBits: Int
    let mostLength: Int

    init(stripeBits: Int, mostLength: Int) {
      let places = FlowIndex.reservedPlaces(mostLength: mostLength) << stripeBits
      unsafe entries = .allocate(capacity: places)
      unsafe entries.initialize(repeating: 0, count: places)
      (self.stripeBits, self.mostLength) = (stripeBits, mostLength)
    }

    deinit { unsafe entries.deallocate() }
  }

  /// The index of a stripe, beside a dictionary of what is in it.
  @safe final class Subject {
    private let memory: Memory
    private let hint: UnsafeMutablePointer<UInt64>
    var index: FlowIndex
    var hashes: [UInt32: UInt64] = [:]
    private var nextReference: UInt32 = 1

    convenience init(mostLength: Int) { self.init(Memory(stripeBits: 0, mostLength: mostLength), stripe: 0) }

    init(_ memory: Memory, stripe: Int) {
      self.memory = memory
      unsafe hint = .allocate(capacity: 1)
      index = unsafe FlowIndex(
        FlowIndex.Places(memory.entries, stripe: stripe, stripeBits: memory.stripeBits), hint: hint,
        length: FlowIndex.smallestLength, mostLength: memory.mostLength)
    }

    deinit { unsafe hint.deallocate() }

    /// False where there was no place.
    @discardableResult
    func insert(_ hash: UInt64) -> Bool {
      _ = index.grow(for: hashes.count + 1)
      guard let position = index.freePosition(for: FlowIndex.tag(hash)) else { return false }
      index.set(FlowIndex.tag(hash), SlotReference(rawValue: nextReference), at: position)
      hashes[nextReference] = hash
      nextReference += 1
      return true
    }

    func grow() { _ = index.grow(for: hashes.count) }

    func remove(_ reference: UInt32) {
      guard let hash = hashes.removeValue(forKey: reference) else { return }
      index.remove(SlotReference(rawValue: reference), hash: hash)
    }

    func finds(_ reference: UInt32, _ hash: UInt64) -> Bool {
      var position = index.shape.home(of: FlowIndex.tag(hash))
      while index[position] != 0 {
        if FlowIndex.reference(index[position]).rawValue == reference { return true }
        position += 1
      }
      return false
    }

    var findsAll: Bool { hashes.allSatisfy { finds($0.key, $0.value) } }
    var entryCount: Int { (0..<index.end).count { index[$0] != 0 } }
  }

  @Test("entries are found at every step of its growth, while others come and go", arguments: [1, 2, 3] as [UInt64])
  func growth(seed: UInt64) {
    var random = SplitMix64(state: seed)
    let subject = Subject(mostLength: 1 << 13)
    var lengths: Set<Int> = []
    var growing = 0
    while subject.hashes.count < 4500 {
      #expect(subject.insert(random.next()))
      if random.next() % 4 == 0, let some = subject.hashes.randomElement(using: &random) { subject.remove(some.key) }
      lengths.insert(subject.index.length)
      if subject.index.shape.limit != 0 { growing += 1 }
      if subject.hashes.count % 16 == 0 || subject.index.shape.limit != 0 { #expect(subject.findsAll) }
    }
    #expect(subject.entryCount == subject.hashes.count)
    #expect(lengths == [256, 512, 1024, 2048, 4096, 8192])
    // 16 places and a cluster at a time: never all at once.
    #expect(growing > 256 / 32)
    for reference in subject.hashes.keys.sorted() { subject.remove(reference) }
    #expect(subject.entryCount == 0)
  }

  @Test("tags that all have one place are found throughout its growth", arguments: [0, 0x7fff_0000, 0xffff_ff00])
  func cluster(first: UInt64) {
    let subject = Subject(mostLength: 1 << 12)
    for number in 0..<200 as Range<UInt64> {
      #expect(subject.insert(first + number))
      #expect(subject.findsAll)
    }
    while subject.index.shape.limit != 0 { subject.grow() }
    #expect(subject.index.length == 512)
    #expect(subject.findsAll)
    #expect(subject.entryCount == 200)
  }

  @Test("stripes whose indexes lie between one another do not touch each other's entries", arguments: [1, 2, 6])
  func stripes(bits: Int) {
    var random = SplitMix64(state: UInt64(bits))
    let memory = Memory(stripeBits: bits, mostLength: 1 << 12)
    let subjects = (0..<1 << bits).map { Subject(memory, stripe: $0) }
    // Some grow earlier than others; all reach their last place and the room behind it.
    for round in 0..<2000 {
      for (stripe, subject) in subjects.enumerated() where round % (stripe % 3 + 1) == 0 {
        #expect(subject.insert(round % 8 == 0 ? 0xffff_ffff : random.next()))
        if random.next() % 8 == 0, let some = subject.hashes.randomElement(using: &random) { subject.remove(some.key) }
      }
    }
    #expect(subjects.allSatisfy { $0.findsAll && $0.entryCount == $0.hashes.count })
    for subject in subjects[1...] {
      for reference in subject.hashes.keys.sorted() { subject.remove(reference) }
    }
    #expect(subjects[0].findsAll)
    #expect(subjects.map(\.entryCount) == [subjects[0].hashes.count] + subjects[1...].map { _ in 0 })
  }

  @Test("what is probed past the last place has room there, and where that is full there is no place")
  func overflow() {
    let subject = Subject(mostLength: FlowIndex.smallestLength)
    var count = 0
    while subject.insert(0xffff_ffff) { count += 1 }
    // The last place itself and the room behind it but for the one that ends probes.
    #expect(count == FlowIndex.overflow)
    #expect(subject.findsAll)
    subject.remove(1)
    #expect(subject.findsAll)
    #expect(subject.insert(0xffff_ffff))
  }

  @Test("places are in the order of tags, and those below the limit are the old ones")
  func shape() {
    let whole = FlowIndex.Shape(length: 1024)
    #expect(whole.home(of: 0) == 0)
    #expect(whole.home(of: 0xffff_ffff) == 1023)
    #expect(whole.home(of: 0x8000_0000) == 512)
    let growing = FlowIndex.Shape(length: 1024, limit: 512)
    #expect(growing.home(of: 0x8000_0000) == 512)
    #expect(growing.home(of: 0x7fff_ffff) == 255)
    #expect(growing.tagBehind(placeOf: 0x7fff_ffff) == 0x8000_0000)
    #expect(growing.tagBehind(placeOf: 0x7f80_0000) == 0x8000_0000)
    #expect(growing.tagBehind(placeOf: 0xffff_ffff) == 0x1_0000_0000)
  }
}
