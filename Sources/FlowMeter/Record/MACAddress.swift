// SPDX-License-Identifier: Apache-2.0

/// The six octets of an IEEE 802 MAC address, in the order in which they are sent.
///
/// The zero address says that none is known.
public struct MACAddress: Hashable, Sendable {
  /// The octets as they lie in memory, two by two, not as numbers.
  @usableFromInline let first, middle, last: UInt16

  /// The zero address.
  @inlinable public init() { (first, middle, last) = (0, 0, 0) }

  /// The address that stands at `offset`.
  ///
  /// - Precondition: six octets stand there.
  public init(_ bytes: RawSpan, at offset: Int) {
    first = bytes.uint16(at: offset).bigEndian
    middle = bytes.uint16(at: offset + 2).bigEndian
    last = bytes.uint16(at: offset + 4).bigEndian
  }

  /// Whether it is the zero address: none is known.
  @inlinable public var isZero: Bool { first | middle | last == 0 }

  /// The address in the usual notation: `02:00:00:00:00:01`.
  public var text: String {
    [first, middle, last].map(\.bigEndian).flatMap { [$0 >> 8, $0 & 0xff] }
      .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }
}
