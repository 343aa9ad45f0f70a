// SPDX-License-Identifier: Apache-2.0
//
// The one place where packet bytes are read. Unsafe only in that it turns octets into integers: every load is checked
// against the span's end, so hostile bytes cannot be read out of bounds.

extension RawSpan {
  @inlinable @inline(__always)
  package func octet(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  @inlinable @inline(__always)
  package func uint16(at offset: Int) -> UInt16 {
    unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  @inlinable @inline(__always)
  package func uint32(at offset: Int) -> UInt32 {
    unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inlinable @inline(__always)
  package func uint64(at offset: Int) -> UInt64 {
    unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// Four octets of an address, left as they lie.
  @inline(__always)
  package func ipv4Octets(at offset: Int) -> IPv4Octets {
    unsafe IPv4Octets(storage: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// Sixteen octets of an address, left as they lie.
  @inline(__always)
  package func ipv6Address(at offset: Int) -> IPAddress {
    unsafe IPAddress(
      high: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self),
      low: unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
  }
}
