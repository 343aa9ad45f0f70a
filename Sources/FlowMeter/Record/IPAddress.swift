// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands the address's own storage to inet_ntop and inet_pton, which read and write 4 or 16 octets of it.

internal import Glibc

/// The version field of an IP header, as IE 60 (ipVersion) reports it.
public struct IPVersion: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// IPv4 (RFC 791).
  public static let v4 = IPVersion(rawValue: 4)
  /// IPv6 (RFC 8200).
  public static let v6 = IPVersion(rawValue: 6)
}

/// The four octets of an IPv4 address, in network order.
public struct IPv4Octets: Hashable, Sendable {
  /// The octets as they lie in memory, not as a number.
  public var storage: UInt32
  /// The address whose octets lie in memory as those of `storage`; default 0.0.0.0.
  public init(storage: UInt32 = 0) { self.storage = storage }

  /// The address as a number: `192.0.2.1` is 0xc000_0201.
  public init(number: UInt32) { storage = number.bigEndian }
  /// The address as a number, the first octet highest.
  public var number: UInt32 { UInt32(bigEndian: storage) }
}

/// The octets of an IP address in network order, without its version.
///
/// An IPv4 address stands in the first four octets and the others are zero; which of the two it is stands beside it
/// (``FlowKey/version``), so that a key stays 48 octets.
public struct IPAddress: Hashable, Sendable {
  /// The first four octets: all of an IPv4 address.
  public var ipv4: IPv4Octets
  var second: UInt32
  var low: UInt64

  /// The unspecified address (`0.0.0.0`, `::`).
  public init() { (ipv4, second, low) = (IPv4Octets(), 0, 0) }

  /// An IPv4 address.
  public init(_ ipv4: IPv4Octets) { (self.ipv4, second, low) = (ipv4, 0, 0) }

  /// The two halves of an IPv6 address as they lie in memory.
  init(high: UInt64, low: UInt64) {
    ipv4 = IPv4Octets(storage: UInt32(truncatingIfNeeded: high))
    second = UInt32(truncatingIfNeeded: high >> 32)
    self.low = low
  }

  var high: UInt64 { UInt64(ipv4.storage) | UInt64(second) << 32 }

  /// Parses an address literal of either version; nil where it is none.
  public static func parse(_ text: String) -> (address: IPAddress, version: IPVersion)? {
    var address = IPAddress()
    if unsafe inet_pton(AF_INET, text, &address) == 1 { return (address, .v4) }
    if unsafe inet_pton(AF_INET6, text, &address) == 1 { return (address, .v6) }
    return nil
  }

  /// The address in the usual notation (RFC 5952 for IPv6).
  public func text(_ version: IPVersion) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
      var octets = self
      let family = version == .v4 ? AF_INET : AF_INET6
      guard
        let text = unsafe inet_ntop(family, &octets, buffer.baseAddress, socklen_t(buffer.count))
      else { return "?" }
      return unsafe String(cString: text)
    }
  }
}
