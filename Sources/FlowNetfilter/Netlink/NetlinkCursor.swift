// SPDX-License-Identifier: Apache-2.0
//
// The one place where netlink messages are read. Unsafe only in that it turns octets into integers: every load is
// checked against the span's end, and every length against what holds it.

/// One message of a netlink datagram (struct nlmsghdr, <linux/netlink.h>).
struct NetlinkMessage {
  let type: UInt16
  let flags: UInt16
  let sequence: UInt32
  /// Where its payload lies in the datagram.
  let payload: Range<Int>

  static let headerLength = 16
  /// What the payload of netfilter's messages begins with: struct nfgenmsg, family (1), version (1), resource id (2).
  static let netfilterHeaderLength = 4
  /// NLMSG_DONE: the end of a dump, and of a batch of nfnetlink_log.
  static let done: UInt16 = 3
  /// NLMSG_ERROR: the answer to a request; an errno of 0 is the acknowledgement.
  static let error: UInt16 = 2

  /// What a message of one of these two begins with: an errno; 0 is none.
  func errorNumber(in bytes: RawSpan) -> Int32 {
    payload.count < 4 ? 0 : 0 &- Int32(bitPattern: bytes.nativeUInt32(at: payload.lowerBound))
  }
}

/// One attribute (struct nlattr), without its header.
struct NetlinkAttribute {
  /// Without the flags for nesting and byte order.
  let type: UInt16
  let payload: Range<Int>

  static let headerLength = 4
}

/// Walks the messages of a datagram, or the attributes of a message.
///
/// A length that is less than its header or more than what is left ends the walk.
struct NetlinkCursor {
  private var offset: Int
  private let end: Int

  /// Over a whole datagram, or over a part of it.
  init(_ range: Range<Int>) { (offset, end) = (range.lowerBound, range.upperBound) }

  /// What has not been walked.
  var rest: Range<Int> { offset..<max(offset, end) }

  @inline(__always)
  mutating func nextMessage(in bytes: RawSpan) -> NetlinkMessage? {
    guard end &- offset >= NetlinkMessage.headerLength else { return nil }
    let length = Int(bytes.nativeUInt32(at: offset))
    guard length >= NetlinkMessage.headerLength, length <= end &- offset else { return nil }
    let start = offset
    offset = min(end, start &+ aligned(length))
    return NetlinkMessage(
      type: bytes.nativeUInt16(at: start + 4), flags: bytes.nativeUInt16(at: start + 6),
      sequence: bytes.nativeUInt32(at: start + 8), payload: start + NetlinkMessage.headerLength..<start + length)
  }

  @inline(__always)
  mutating func nextAttribute(in bytes: RawSpan) -> NetlinkAttribute? {
    guard end &- offset >= NetlinkAttribute.headerLength else { return nil }
    let length = Int(bytes.nativeUInt16(at: offset))
    guard length >= NetlinkAttribute.headerLength, length <= end &- offset else { return nil }
    let start = offset
    offset = min(end, start &+ aligned(length))
    return NetlinkAttribute(
      type: bytes.nativeUInt16(at: start + 2) & 0x3fff, payload: start + NetlinkAttribute.headerLength..<start + length)
  }

  /// Messages and attributes begin at multiples of four octets.
  @inline(__always)
  private func aligned(_ length: Int) -> Int { (length + 3) & ~3 }
}

extension RawSpan {
  /// Netlink's own fields are in the machine's order.
  @inline(__always)
  func nativeUInt16(at offset: Int) -> UInt16 {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
  }

  @inline(__always)
  func nativeUInt32(at offset: Int) -> UInt32 {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
  }

  /// The text up to the first zero; what is no UTF-8 is replaced.
  func text(_ range: Range<Int>) -> String {
    unsafe extracting(range).withUnsafeBytes { octets in
      unsafe String(decoding: octets.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
