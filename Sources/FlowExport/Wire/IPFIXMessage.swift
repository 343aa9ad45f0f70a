// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Where the parts of an IPFIX Message stand, for those who write one and those who read one again.
///
/// Section 3.1 of RFC 7011, and of each Set section 3.3.2:
///
///     |       Version Number          |            Length             |
///     |                           Export Time                         |
///     |                       Sequence Number                         |
///     |                    Observation Domain ID                      |
///
///     |          Set ID               |          Length               |
enum IPFIXMessage {
  static let headerLength = 16
  static let setHeaderLength = 4
  private static let version: UInt16 = 10

  /// Where its fields stand in the Message Header.
  enum Offset {
    static let length = 2
    static let exportTime = 4
    static let sequence = 8
    static let domain = 12
  }

  /// Writes the Message Header.
  ///
  /// - Parameters:
  ///   - length: octets of the whole message, where they are known already.
  ///   - seconds: the export time, since 1970.
  static func writeHeader(
    to buffer: inout MessageBuffer, length: UInt16 = 0, seconds: UInt32, sequence: UInt32, domain: UInt32
  ) {
    buffer.append(version)
    buffer.append(length)
    buffer.append(seconds)
    buffer.append(sequence)
    buffer.append(domain)
  }

  /// The message at `start`; nil where there is none, or it has no end.
  static func range(in octets: RawSpan, at start: Int) -> Range<Int>? {
    guard octets.byteCount - start >= headerLength, octets.uint16(at: start) == version else { return nil }
    let length = Int(octets.uint16(at: start + Offset.length))
    guard length >= headerLength, start + length <= octets.byteCount else { return nil }
    return start..<start + length
  }

  /// The Sets of a message, each with its header; nil where they do not lead to its end.
  static func sets(in octets: RawSpan, _ message: Range<Int>) -> [Range<Int>]? {
    var (sets, start) = ([Range<Int>](), message.lowerBound + headerLength)
    while message.upperBound - start >= setHeaderLength {
      let length = Int(octets.uint16(at: start + 2))
      guard length > setHeaderLength, start + length <= message.upperBound else { return nil }
      sets.append(start..<start + length)
      start += length
    }
    return start == message.upperBound ? sets : nil
  }
}
