// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns memory for one set a shape; the first `count` are initialised, and every access is checked against it.

internal import FlowMeter

/// The records of one template that have not left yet.
struct PendingSet: ~Copyable {
  let template: Template<FlowRecord>
  private(set) var records = MessageBuffer(capacity: MessageBatch.longestMessage)
  private(set) var flows = FlowTotals()

  init(_ template: Template<FlowRecord>) { self.template = template }

  @inline(__always)
  mutating func append(_ record: UnsafePointer<FlowRecord>, at instant: ExportInstant) {
    unsafe template.encode(record, at: instant, to: &records)
    flows.flows &+= 1
    unsafe flows.packets &+= record.pointee.packets
    unsafe flows.octets &+= record.pointee.octets
  }

  /// Forgets the records, and says what they were.
  mutating func empty() -> FlowTotals {
    records.removeAll()
    defer { flows = FlowTotals() }
    return flows
  }
}

/// The pending sets of an encoder, by the shape of their records.
///
/// Memory of its own, so that a record is appended without the bookkeeping of an array of objects; address space for
/// all shapes, of which those that occur are touched.
@safe struct PendingSets: ~Copyable {
  private let sets: UnsafeMutablePointer<PendingSet>
  /// By shape: the set's place + 1, or 0.
  private let places: UnsafeMutablePointer<UInt16>
  private let counter: UnsafeMutablePointer<Int>

  init() {
    unsafe sets = .allocate(capacity: FlowShape.count)
    unsafe places = .allocate(capacity: FlowShape.count)
    unsafe places.initialize(repeating: 0, count: FlowShape.count)
    unsafe counter = .allocate(capacity: 1)
    unsafe counter.initialize(to: 0)
  }

  deinit {
    unsafe sets.deinitialize(count: counter.pointee)
    unsafe sets.deallocate()
    unsafe places.deallocate()
    unsafe counter.deallocate()
  }

  var count: Int { unsafe counter.pointee }

  @inline(__always)
  func place(of shape: FlowShape) -> Int? {
    precondition(Int(shape.rawValue) < FlowShape.count)
    let place = unsafe Int(places[Int(shape.rawValue)])
    return place == 0 ? nil : place - 1
  }

  /// Adds a set for a shape that has none, and returns its place.
  func add(_ template: Template<FlowRecord>, _ shape: FlowShape) -> Int {
    precondition(place(of: shape) == nil)
    unsafe (sets + count).initialize(to: PendingSet(template))
    unsafe counter.pointee += 1
    unsafe places[Int(shape.rawValue)] = UInt16(count)
    return count - 1
  }

  subscript(place: Int) -> PendingSet {
    @inline(__always)
    unsafeAddress {
      precondition(place >= 0 && place < count)
      return unsafe UnsafePointer(sets + place)
    }
    @inline(__always)
    nonmutating unsafeMutableAddress {
      precondition(place >= 0 && place < count)
      return unsafe sets + place
    }
  }
}
