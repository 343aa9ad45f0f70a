// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: a socket address of ours.

internal import Glibc

/// The name of a Unix socket as the socket calls want it: a path, or behind `@` one that no file has (unix(7), abstract).
struct UnixAddress {
  /// sun_path has 108 octets, the last one a zero.
  static let mostOctets = 107

  private let octets: [UInt8]
  private let isAbstract: Bool

  /// - Precondition: the name has 1 to ``mostOctets``.
  init(_ name: String) {
    precondition((1...Self.mostOctets).contains(name.utf8.count))
    isAbstract = name.hasPrefix("@")
    octets = isAbstract ? [0] + name.utf8.dropFirst() : Array(name.utf8)
  }

  func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: octets) }
    // An abstract name has all the octets that are told, a path ends with a zero.
    let length = MemoryLayout<sockaddr_un>.size - room + octets.count + (isAbstract ? 0 : 1)
    return unsafe withUnsafePointer(to: address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(length)) }
    }
  }
}
