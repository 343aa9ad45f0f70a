// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: writes headers and records by hand; whoever calls has made room for their full length.

internal import FlowExport
internal import FlowMeter

/// A message with records of IPv4 and TCP, laid out by hand.
protocol PointerLayout {
  static var exportProtocol: ExportProtocol { get }
  /// With the header of the one set, where there are sets.
  static var headerLength: Int { get }
  static var recordLength: Int { get }
  static var recordsPerMessage: Int { get }
  /// Where the header has the sequence number.
  static var sequenceOffset: Int { get }
  /// How far the sequence number goes on with a message of so many records.
  static func sequenceStep(_ records: Int) -> UInt32

  @unsafe static func writeHeader(
    _ records: Int, sequence: UInt32, set: UInt16, at instant: ExportInstant, to octets: UnsafeMutableRawPointer)

  @unsafe static func write(_ record: borrowing FlowRecord, boot: Timestamp, to octets: UnsafeMutableRawPointer)
}

extension UnsafeMutableRawPointer {
  /// Stores a number in network order.
  @inline(__always)
  func put(_ value: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
    unsafe storeBytes(of: value.bigEndian, toByteOffset: offset, as: type(of: value))
  }

  /// Stores octets that lie in network order already.
  @inline(__always)
  func put(octets value: IPv4Octets, at offset: Int) {
    unsafe storeBytes(of: value.storage, toByteOffset: offset, as: UInt32.self)
  }

  /// The fields ahead of the times, which lie alike in IPFIX and NetFlow v9.
  @inline(__always)
  fileprivate func putFields(of record: borrowing FlowRecord) {
    unsafe put(octets: record.key.source.ipv4, at: 0)
    unsafe put(octets: record.key.destination.ipv4, at: 4)
    unsafe put(octets: record.nextHop.ipv4, at: 8)
    unsafe put(record.key.version.rawValue, at: 12)
    unsafe put(record.key.sourcePort, at: 13)
    unsafe put(record.key.destinationPort, at: 15)
    unsafe put(record.tcpControlBits, at: 17)
    unsafe put(record.key.ingressInterface, at: 18)
    unsafe put(record.egressInterface, at: 22)
    unsafe put(record.packets, at: 26)
    unsafe put(record.octets, at: 34)
  }
}

enum IPFIXLayout: PointerLayout {
  static let exportProtocol = ExportProtocol.ipfix
  static let headerLength = 20
  static let recordLength = 61
  static let recordsPerMessage = 22
  static let sequenceOffset = 8

  static func sequenceStep(_ records: Int) -> UInt32 { UInt32(records) }

  static func writeHeader(
    _ records: Int, sequence: UInt32, set: UInt16, at instant: ExportInstant, to octets: UnsafeMutableRawPointer
  ) {
    let length = UInt16(headerLength + records * recordLength)
    unsafe octets.put(UInt16(10), at: 0)
    unsafe octets.put(length, at: 2)
    unsafe octets.put(UInt32(truncatingIfNeeded: (instant.now.milliseconds + instant.shift) / 1000), at: 4)
    unsafe octets.put(sequence, at: sequenceOffset)
    unsafe octets.put(UInt32(0), at: 12)
    unsafe octets.put(set, at: 16)
    unsafe octets.put(length - 16, at: 18)
  }

  @inline(__always)
  static func write(_ record: borrowing FlowRecord, boot: Timestamp, to octets: UnsafeMutableRawPointer) {
    unsafe octets.putFields(of: record)
    unsafe octets.put(record.start.milliseconds, at: 42)
    unsafe octets.put(record.end.milliseconds, at: 50)
    unsafe octets.put(record.key.protocol.rawValue, at: 58)
    unsafe octets.put(record.key.classOfService, at: 59)
    unsafe octets.put(record.endReason.rawValue, at: 60)
  }
}

enum NetFlow9Layout: PointerLayout {
  static let exportProtocol = ExportProtocol.netFlow9
  static let headerLength = 24
  static let recordLength = 52
  static let recordsPerMessage = 26
  static let sequenceOffset = 12

  static func sequenceStep(_ records: Int) -> UInt32 { 1 }

  static func writeHeader(
    _ records: Int, sequence: UInt32, set: UInt16, at instant: ExportInstant, to octets: UnsafeMutableRawPointer
  ) {
    // The end of the current second, in both clocks.
    let seconds = (instant.now.milliseconds + instant.shift + 999) / 1000
    let upTime = seconds * 1000 - instant.shift - instant.boot.milliseconds
    unsafe octets.put(UInt16(9), at: 0)
    unsafe octets.put(UInt16(records), at: 2)
    unsafe octets.put(UInt32(truncatingIfNeeded: upTime), at: 4)
    unsafe octets.put(UInt32(truncatingIfNeeded: seconds), at: 8)
    unsafe octets.put(sequence, at: sequenceOffset)
    unsafe octets.put(UInt32(0), at: 16)
    unsafe octets.put(set, at: 20)
    unsafe octets.put(UInt16(4 + records * recordLength), at: 22)
  }

  @inline(__always)
  static func write(_ record: borrowing FlowRecord, boot: Timestamp, to octets: UnsafeMutableRawPointer) {
    unsafe octets.putFields(of: record)
    unsafe octets.put(UInt32(truncatingIfNeeded: record.start.milliseconds &- boot.milliseconds), at: 42)
    unsafe octets.put(UInt32(truncatingIfNeeded: record.end.milliseconds &- boot.milliseconds), at: 46)
    unsafe octets.put(record.key.protocol.rawValue, at: 50)
    unsafe octets.put(record.key.classOfService, at: 51)
  }
}

enum NetFlow5Layout: PointerLayout {
  static let exportProtocol = ExportProtocol.netFlow5
  static let headerLength = 24
  static let recordLength = 48
  static let recordsPerMessage = 30
  static let sequenceOffset = 16

  static func sequenceStep(_ records: Int) -> UInt32 { UInt32(records) }

  static func writeHeader(
    _ records: Int, sequence: UInt32, set: UInt16, at instant: ExportInstant, to octets: UnsafeMutableRawPointer
  ) {
    let wall = instant.now.milliseconds + instant.shift
    unsafe octets.put(UInt16(5), at: 0)
    unsafe octets.put(UInt16(records), at: 2)
    unsafe octets.put(UInt32(truncatingIfNeeded: instant.now.milliseconds &- instant.boot.milliseconds), at: 4)
    unsafe octets.put(UInt32(truncatingIfNeeded: wall / 1000), at: 8)
    unsafe octets.put(UInt32(truncatingIfNeeded: wall % 1000 * 1_000_000), at: 12)
    unsafe octets.put(sequence, at: sequenceOffset)
    unsafe octets.put(UInt32(0), at: 20)
  }

  @inline(__always)
  static func write(_ record: borrowing FlowRecord, boot: Timestamp, to octets: UnsafeMutableRawPointer) {
    unsafe octets.put(octets: record.key.source.ipv4, at: 0)
    unsafe octets.put(octets: record.key.destination.ipv4, at: 4)
    unsafe octets.put(octets: record.nextHop.ipv4, at: 8)
    unsafe octets.put(UInt16(truncatingIfNeeded: record.key.ingressInterface), at: 12)
    unsafe octets.put(UInt16(truncatingIfNeeded: record.egressInterface), at: 14)
    unsafe octets.put(UInt32(clamping: record.packets), at: 16)
    unsafe octets.put(UInt32(clamping: record.octets), at: 20)
    unsafe octets.put(UInt32(truncatingIfNeeded: record.start.milliseconds &- boot.milliseconds), at: 24)
    unsafe octets.put(UInt32(truncatingIfNeeded: record.end.milliseconds &- boot.milliseconds), at: 28)
    unsafe octets.put(record.key.sourcePort, at: 32)
    unsafe octets.put(record.key.destinationPort, at: 34)
    unsafe octets.put(UInt8(0), at: 36)
    unsafe octets.put(record.tcpControlBits, at: 37)
    unsafe octets.put(record.key.protocol.rawValue, at: 38)
    unsafe octets.put(record.key.classOfService, at: 39)
    unsafe octets.put(UInt64(0), at: 40)
  }
}
