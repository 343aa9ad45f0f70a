// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: walks the index and reads slots; see FlowStore.swift for what holds.

internal import CShims

/// How far a visit of a stripe's Flows has come: the tags whose places have been looked at.
///
/// A Flow's entry stands at its own place, or behind it with no empty place between. Flows that come and go in the
/// meantime move entries nearer to their own place, never away; so a visit that asks each place for the entries whose
/// own it is meets every Flow once that stays active. Where the index grows meanwhile, a place's entries have two.
struct StripeVisit {
  /// The first tag that has not been looked at.
  fileprivate var next: UInt64 = 0

  var isComplete: Bool { next > UInt64(UInt32.max) }
}

extension FlowStore {
  /// How many places are looked at under one lock.
  private static let mostPlaces = 2048
  /// No place has more entries of its own, but by a chance that nobody will see; of such, some are left out.
  private static let mostEntries = 64

  /// Copies active Flows into `buffer`, as many as one lock may be held for. Nothing is changed.
  func copyActive(_ visit: inout StripeVisit, into buffer: inout FlowRecordBuffer) {
    let room = buffer.capacity - buffer.count
    unsafe withUnsafeTemporaryAllocation(of: SlotReference.self, capacity: room) { references in
      var (count, looked) = (0, 0)
      while !visit.isComplete, looked < Self.mostPlaces, count + Self.mostEntries <= room {
        let tags = visit.next..<index.shape.tagBehind(placeOf: visit.next)
        visit.next = tags.upperBound
        looked += 1
        forEachEntry(of: tags) {
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

  /// Those with these tags, which have one place, wherever they stand.
  private func forEachEntry(of tags: Range<UInt64>, _ body: (SlotReference) -> Void) {
    var position = index.shape.home(of: tags.lowerBound)
    while index[position] != 0 {
      if tags.contains(FlowIndex.tag(ofEntry: index[position])) { body(FlowIndex.reference(index[position])) }
      position += 1
    }
  }
}
