// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads the fuzzer's input, always within its length; a packet is a copy in an allocation of exactly its
// length, so that AddressSanitizer sees who reads beyond it.

/// Takes the fuzzer's input apart, from the first octet to the last.
@safe public struct InputReader {
  private let input: UnsafeRawBufferPointer
  private let length: Int
  private var position = 0

  @unsafe public init(_ input: UnsafeRawBufferPointer) {
    unsafe self.input = unsafe input
    length = input.count
  }

  /// The next octet; nil at the end.
  public mutating func octet() -> UInt8? {
    guard position < length else { return nil }
    defer { position += 1 }
    return unsafe input[position]
  }

  /// The next number in the order of little-endian machines; what the input lacks is zeros.
  public mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number {
    var number: Number = 0
    for place in 0..<Number.bitWidth / 8 {
      number |= Number(truncatingIfNeeded: octet() ?? 0) << Number(truncatingIfNeeded: place * 8)
    }
    return number
  }

  /// Shows so many octets, or as many as there are.
  public mutating func withOctets(_ wanted: Int, _ body: (RawSpan) -> Void) {
    let count = min(wanted, length - position)
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { unsafe copy.deallocate() }
    unsafe copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[position..<position + count]))
    position += count
    body(unsafe RawSpan(_unsafeBytes: copy))
  }
}
