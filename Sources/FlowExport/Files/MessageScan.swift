// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads a file into memory of ours.

internal import FlowMeter
internal import Glibc

/// What of a file is whole messages of IPFIX, from its begin on: a process or a machine that stopped while it wrote may
/// have left the last one torn, or octets that were never written.
struct MessageScan: Equatable {
  /// Where the last whole message ends. Octets.
  private(set) var end = 0
  private(set) var messages = 0
  /// Whether there are Data Records.
  private(set) var hasData = false

  /// RFC 7011 section 3.1 and 3.3.2.
  private enum Header {
    static let length = 16
    static let setLength = 4
    static let version: UInt16 = 10
    static let firstDataSet: UInt16 = 256
  }
  /// More than the longest message.
  private static let step = 1 << 20

  /// Reads a file from its begin.
  init(of file: Int32) throws(SystemError) {
    var octets = [UInt8](repeating: 0, count: Self.step)
    while true {
      let count = unsafe octets.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, $0.count, end) }
      guard count >= 0 else {
        if errno == EINTR { continue }
        throw .last
      }
      let before = end
      unsafe scan(octets.span.bytes.extracting(first: count))
      guard end > before else { return }
    }
  }

  /// Goes on with the messages that are whole in `octets`.
  private mutating func scan(_ octets: RawSpan) {
    var start = 0
    while octets.byteCount - start >= Header.length {
      let length = Int(octets.uint16(at: start + 2))
      guard octets.uint16(at: start) == Header.version, length > Header.length, start + length <= octets.byteCount,
        let isData = Self.hasData(octets, start + Header.length..<start + length)
      else { return }
      hasData = hasData || isData
      messages += 1
      start += length
      end += length
    }
  }

  /// Whether there is a Data Set among the sets that fill `range`; nil where they do not lead to its end.
  private static func hasData(_ octets: RawSpan, _ range: Range<Int>) -> Bool? {
    var (start, isData) = (range.lowerBound, false)
    while range.upperBound - start >= Header.setLength {
      let (id, length) = (octets.uint16(at: start), Int(octets.uint16(at: start + 2)))
      guard id > 1, length > Header.setLength, start + length <= range.upperBound else { return nil }
      isData = isData || id >= Header.firstDataSet
      start += length
    }
    return start == range.upperBound ? isData : nil
  }
}
