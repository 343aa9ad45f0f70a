// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads the fuzzer's input, of which it keeps nothing.

/// An input that is a text, behind an octet that says what the text is.
public struct KindAndText {
  /// 0 without an octet.
  public let kind: UInt8
  /// What is no UTF-8 is replaced, as in a file.
  public let text: String

  @unsafe public init(_ input: UnsafeRawBufferPointer) {
    kind = unsafe input.first ?? 0
    text = unsafe String(decoding: input.dropFirst(), as: UTF8.self)
  }
}
