// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: walks the index and reads slots; see FlowStore.swift for what holds.

internal import CShims

/// How far a visit of a stripe's Flows has come: the places of the index that are still to be looked at.
///
/// A Flow's entry stands at its own place, or behind it with no empty place between. Flows that come and go in the
/// meantime move entries nearer to their own place, never away; so a visit that asks each place for the entries whose
/// own it is meets every Flow once that stays active. When the index doubles, the entries of place p are those of p and
/// of p + the old size.
struct StripeVisit {
  private var size: UInt64
  private var places: [Range<UInt64>]

  init(size: UInt64) {
    self.size = size
    places = [0..<size]
  }

  /// Nil when all have been looked at.
  var next: UInt64? { places.last?.lowerBound }

  mutating func advance() {
    guard let range = places.popLast(), range.count > 1 else { return }
    places.append(range.lowerBound + 1..<range.upperBound)
  }

  /// Follows the growth of the index.
  mutating func grow(to newSize: UInt64) {
    while size < newSize {
      places += places.map { $0.lowerBound + size..<$0.upperBound + size }
      size *= 2
    }
  }
}

extension FlowStore {
  /// How many places are looked at under one lock.
  private static let mostPlaces = 2048
  /// No place has more entries of its own, but by a chance that nobody will see; of such, some are left out.
  private static let mostEntries = 64

  /// Copies active Flows into `buffer`, as many as one lock may be held for. Nothing is changed.
  func copyActive(_ visit: inout StripeVisit, into buffer: inout FlowRecordBuffer) {
    visit.grow(to: mask + 1)
    let room = buffer.capacity - buffer.count
    unsafe withUnsafeTemporaryAllocation(of: SlotReference.self, capacity: room) { references in
      var (count, looked) = (0, 0)
      while let place = visit.next, looked < Self.mostPlaces, count + Self.mostEntries <= room {
        visit.advance()
        looked += 1
        forEachEntry(of: place) {
          guard count < room else { return }
          unsafe cshims_prefetch(slot($0))
          unsafe references[count] = $0
          count += 1
        }
      }
      for i in 0..<count {
        unsafe write(references[i], slot(references[i]), .forcedEnd, into: &buffer)
      }
    }
  }

  /// Those whose own place it is, wherever they stand.
  private func forEachEntry(of place: UInt64, _ body: (SlotReference) -> Void) {
    var position = place
    while true {
      let entry = unsafe index[Int(position)]
      if entry == 0 { return }
      if entry >> 32 & mask == place { body(SlotReference(rawValue: UInt32(truncatingIfNeeded: entry))) }
      position = (position &+ 1) & mask
    }
  }
}
