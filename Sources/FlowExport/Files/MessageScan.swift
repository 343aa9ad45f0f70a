// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads a file into memory of ours.

internal import FlowMeter
internal import Glibc

/// What of a file is whole messages of IPFIX, from its begin on: a process or a machine that stopped while it wrote may
/// have left the last one torn, or octets that were never written.
struct MessageScan {
  /// Where the last whole message ends. Octets.
  private(set) var end = 0
  private(set) var messages = 0
  /// Whether there are Data Records.
  private(set) var hasData = false
  /// What they carry; nil: nobody asked for it.
  private(set) var records: RecordTotals?
  private var reader = MessageReader()

  /// More than the longest message.
  private static let step = 1 << 20

  /// - Parameter countsRecords: of a file that flowprobe wrote.
  init(countsRecords: Bool) { if countsRecords { records = RecordTotals() } }

  /// Reads on in a file, from its begin.
  ///
  /// - Parameter rest: octets that may be read; afterwards those that still may.
  /// - Returns: whether there are no more whole messages.
  mutating func read(_ file: Int32, _ rest: inout Int) throws(SystemError) -> Bool {
    var octets = [UInt8](repeating: 0, count: Self.step)
    while rest > 0 {
      let count = unsafe octets.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, $0.count, end) }
      guard count >= 0 else {
        if errno == EINTR { continue }
        throw .last
      }
      rest -= count
      let before = end
      unsafe scan(octets.span.bytes.extracting(first: count))
      guard end > before else { return true }
    }
    return false
  }

  /// Goes on with the messages that are whole in `octets`.
  private mutating func scan(_ octets: RawSpan) {
    var start = 0
    while let message = IPFIXMessage.range(in: octets, at: start), message.count > IPFIXMessage.headerLength,
      let sets = IPFIXMessage.sets(in: octets, message)
    {
      let ids = sets.map { octets.uint16(at: $0.lowerBound) }
      // 0 and 1 are those of NetFlow v9.
      guard ids.allSatisfy({ $0 > 1 }) else { return }
      hasData = hasData || ids.contains { $0 >= Self.firstDataSet }
      messages += 1
      if records != nil, let contents = reader.contents(of: message, octets) { records?.add(contents.totals) }
      start = message.upperBound
      end += message.count
    }
  }

  /// RFC 7011 section 3.3.2.
  private static let firstDataSet: UInt16 = 256
}
