// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads a record's stored properties by their offsets, which the compiler gave, and writes each field within
// the record length that was reserved.

public import FlowMeter

/// A Template (RFC 7011 section 2): its id and fields, and how records of its layout are written.
@safe struct Template<Record: Sendable>: Sendable {
  let id: UInt16
  let fields: [Field<Record>]
  /// How many of the fields, from the first, are Scope fields; 0 for a Template that is no Options Template.
  let scopeCount: Int
  /// Octets of a Data Record.
  let recordLength: Int

  /// The fields' encodings without what the hot loop does not need: names, reference counts.
  private let steps: [Step]
  private let computed: [@Sendable (Record, UnsafeMutableRawPointer) -> Void]

  private struct Step {
    var operation: Operation
    var length: UInt8
    /// Where the value lies in the record; of a computed one, its place in `computed`.
    var place: UInt16
  }

  private enum Operation: UInt8 {
    case octet, copy4, copy8, copy16, copy, swap2, swap4, swap8, time, upTime, computed
  }

  init(id: UInt16, fields: [Field<Record>], scopeCount: Int = 0) {
    self.id = id
    self.fields = fields
    self.scopeCount = scopeCount
    recordLength = fields.reduce(0) { $0 + $1.length }
    var functions: [@Sendable (Record, UnsafeMutableRawPointer) -> Void] = unsafe []
    steps = fields.map { field in
      let (operation, place): (Operation, Int)
      switch unsafe field.encoding {
      case .number(let offset, 1): (operation, place) = (.octet, offset)
      case .number(let offset, 2): (operation, place) = (.swap2, offset)
      case .number(let offset, 4): (operation, place) = (.swap4, offset)
      case .number(let offset, _): (operation, place) = (.swap8, offset)
      case .octets(let offset, 1): (operation, place) = (.octet, offset)
      case .octets(let offset, 4): (operation, place) = (.copy4, offset)
      case .octets(let offset, 8): (operation, place) = (.copy8, offset)
      case .octets(let offset, 16): (operation, place) = (.copy16, offset)
      case .octets(let offset, _): (operation, place) = (.copy, offset)
      case .time(let offset): (operation, place) = (.time, offset)
      case .upTime(let offset): (operation, place) = (.upTime, offset)
      case .computed(let function):
        (operation, place) = unsafe (.computed, functions.count)
        unsafe functions.append(function)
      }
      return Step(operation: operation, length: UInt8(field.length), place: UInt16(place))
    }
    unsafe computed = unsafe functions
  }

  /// Writes one Data Record.
  func encode(_ record: borrowing Record, at instant: ExportInstant, to buffer: inout MessageBuffer) {
    unsafe withUnsafePointer(to: record) { unsafe encode($0, at: instant, to: &buffer) }
  }

  /// The same of a record where it lies.
  @inline(__always)
  func encode(_ record: UnsafePointer<Record>, at instant: ExportInstant, to buffer: inout MessageBuffer) {
    unsafe encode(UnsafeRawPointer(record), record, at: instant, to: buffer.reserve(recordLength))
  }

  @inline(__always)
  private func encode(
    _ stored: UnsafeRawPointer, _ record: UnsafePointer<Record>, at instant: ExportInstant,
    to start: UnsafeMutableRawPointer
  ) {
    var octets = unsafe start
    for step in steps {
      let place = Int(step.place)
      switch step.operation {
      case .octet: unsafe octets.copyMemory(from: stored + place, byteCount: 1)
      case .copy4: unsafe octets.copyMemory(from: stored + place, byteCount: 4)
      case .copy8: unsafe octets.copyMemory(from: stored + place, byteCount: 8)
      case .copy16: unsafe octets.copyMemory(from: stored + place, byteCount: 16)
      case .copy: unsafe octets.copyMemory(from: stored + place, byteCount: Int(step.length))
      case .swap2: unsafe stored.load(fromByteOffset: place, as: UInt16.self).write(to: octets)
      case .swap4: unsafe stored.load(fromByteOffset: place, as: UInt32.self).write(to: octets)
      case .swap8: unsafe stored.load(fromByteOffset: place, as: UInt64.self).write(to: octets)
      case .time:
        unsafe instant.wall(stored.load(fromByteOffset: place, as: Timestamp.self)).write(to: octets)
      case .upTime:
        unsafe instant.upTime(stored.load(fromByteOffset: place, as: Timestamp.self)).write(to: octets)
      case .computed: unsafe computed[place](record.pointee, octets)
      }
      unsafe octets += Int(step.length)
    }
  }
}

/// The moment of an export, on the clock of the table, and how that clock relates to others.
public struct ExportInstant: Hashable, Sendable {
  /// The table's time.
  public var now: Timestamp
  /// When the device started, in the table's time: the zero of sysUpTime.
  public var boot: Timestamp
  /// How far the wall clock is ahead of the table's, milliseconds.
  public var shift: Int64

  public init(now: Timestamp, boot: Timestamp, shift: Int64 = 0) {
    (self.now, self.boot, self.shift) = (now, boot, shift)
  }

  /// This moment, by the clock of live metering.
  public init(_ clock: MeteringClock) { self.init(now: clock.now, boot: clock.zero, shift: clock.shift) }

  /// A moment of the table's by the wall clock.
  @inline(__always)
  func wall(_ time: Timestamp) -> Timestamp { time.advanced(byMilliseconds: shift) }

  /// A moment of the table's in milliseconds of sysUpTime; it wraps after 49.7 days (RFC 3954 section 8).
  @inline(__always)
  func upTime(_ time: Timestamp) -> UInt32 {
    UInt32(truncatingIfNeeded: time.milliseconds &- boot.milliseconds)
  }
}
