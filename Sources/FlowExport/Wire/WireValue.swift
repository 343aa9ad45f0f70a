// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: writes `wireLength` octets to where the caller has made room for them.

public import FlowMeter

/// A value that an Information Element can have: it knows its length and its octets (RFC 7011 section 6.1).
///
/// A template's field length is taken from the type of the field's value, so the two cannot disagree.
public protocol WireValue: Sendable {
  /// Octets on the wire.
  static var wireLength: Int { get }

  /// Writes ``wireLength`` octets.
  @unsafe func write(to octets: UnsafeMutableRawPointer)

  /// The value as JSON.
  var json: String { get }
}

extension WireValue where Self: FixedWidthInteger {
  public static var wireLength: Int { bitWidth / 8 }

  @inline(__always)
  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe octets.storeBytes(of: bigEndian, as: Self.self)
  }

  public var json: String { String(self) }
}

extension UInt8: WireValue {}
extension UInt16: WireValue {}
extension UInt32: WireValue {}
extension UInt64: WireValue {}

/// An assigned number goes by its value.
extension WireValue where Self: RawRepresentable, RawValue: WireValue {
  public static var wireLength: Int { RawValue.wireLength }
  @inline(__always)
  @unsafe public func write(to octets: UnsafeMutableRawPointer) { unsafe rawValue.write(to: octets) }
  public var json: String { rawValue.json }
}

extension IPVersion: WireValue {}
extension IPProtocol: WireValue {}
extension FlowEndReason: WireValue {}
extension FlowDirection: WireValue {}

extension IPv4Octets: WireValue {
  public static var wireLength: Int { 4 }

  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe octets.storeBytes(of: storage, as: UInt32.self)
  }

  public var json: String { "\"\(IPAddress(self).text(.v4))\"" }
}

/// The sixteen octets of an IPv6 address; an IPv4 address goes by ``IPAddress/ipv4``.
extension IPAddress: WireValue {
  public static var wireLength: Int { 16 }

  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe octets.storeBytes(of: self, as: IPAddress.self)
  }

  public var json: String { "\"\(text(.v6))\"" }
}

extension MACAddress: WireValue {
  public static var wireLength: Int { 6 }

  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe octets.storeBytes(of: self, as: MACAddress.self)
  }

  public var json: String { "\"\(text)\"" }
}

/// An MPLS label stack entry without its TTL: label (20 bits), EXP (3), S (1); three octets, and no number (RFC 7012
/// section 3.1.13: octetArray), so its JSON is their digits (RFC 7373 section 4.2).
public struct LabelStackSection: WireValue {
  public static var wireLength: Int { 3 }
  /// Label, EXP and S, in its low 24 bits.
  public var number: UInt32

  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe UInt16(truncatingIfNeeded: number >> 8).write(to: octets)
    unsafe UInt8(truncatingIfNeeded: number).write(to: octets + 2)
  }

  public var json: String {
    let digits = String(number, radix: 16)
    return "\"\(String(repeating: "0", count: 2 * Self.wireLength - digits.count) + digits)\""
  }
}

/// dateTimeMilliseconds: 64 bits since 1970 (RFC 7011 section 6.1.8).
extension Timestamp: WireValue {
  public static var wireLength: Int { 8 }

  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe UInt64(bitPattern: milliseconds).write(to: octets)
  }

  public var json: String { "\"\(iso8601)\"" }
}

/// A text cut or padded with zeros to a fixed length: collectors read no variable-length field in every template.
public protocol FixedText: WireValue {
  /// The characters; what is beyond the room is left out, and the rest is zero.
  var text: String { get }
}

extension FixedText {
  @unsafe public func write(to octets: UnsafeMutableRawPointer) {
    unsafe octets.initializeMemory(as: UInt8.self, repeating: 0, count: Self.wireLength)
    for (i, octet) in text.prefix(octets: Self.wireLength).utf8.enumerated() {
      unsafe octets.storeBytes(of: octet, toByteOffset: i, as: UInt8.self)
    }
  }

  public var json: String { JSONText.quoted(text) }
}

extension String {
  /// As many of the first characters as have at most so many octets: none is cut in two (RFC 7011 section 6.1.6: UTF-8).
  func prefix(octets limit: Int) -> Substring {
    var (end, octets) = (startIndex, 0)
    while end < endIndex {
      octets += UTF8.width(unicodeScalars[end])
      guard octets <= limit else { break }
      unicodeScalars.formIndex(after: &end)
    }
    return self[..<end]
  }
}

/// An interface's name: 16 octets, as Linux limits it (IFNAMSIZ).
public struct InterfaceName: FixedText {
  public static var wireLength: Int { 16 }
  public var text: String
}

/// An interface's alias and speed: 64 octets.
public struct InterfaceDescription: FixedText {
  public static var wireLength: Int { 64 }
  public var text: String
}

/// Who owns a socket: 16 octets.
public struct UserName: FixedText {
  public static var wireLength: Int { 16 }
  public var text: String
}

/// A description: 32 octets.
public struct ShortDescription: FixedText {
  public static var wireLength: Int { 32 }
  public var text: String
}
