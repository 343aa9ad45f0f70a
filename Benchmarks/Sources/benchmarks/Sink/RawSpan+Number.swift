// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: loads of integers, whose every bit pattern is a value; the span checks their bounds.

extension RawSpan {
  /// The number of so many octets, in the network's order.
  @inline(__always)
  func number(at offset: Int, length: Int) -> UInt64 {
    switch length {
    case 1: return UInt64(unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    case 2: return UInt64(UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    case 4: return UInt64(UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    case 8: return UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    default: return (0..<length).reduce(0) { $0 << 8 | number(at: offset + $1, length: 1) }
    }
  }

  @inline(__always)
  func int(at offset: Int, length: Int) -> Int { Int(truncatingIfNeeded: number(at: offset, length: length)) }
}
