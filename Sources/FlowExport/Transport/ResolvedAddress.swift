// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: fills and reads socket address structures; their lengths are those of the families' own types.

// Which of the two socket addresses come by differs with what is compiled together.
package import CShims
package import FlowMeter
package import Glibc

/// An address and port as the socket calls want them.
package struct ResolvedAddress: Hashable, Sendable {
  package var address: IPAddress
  package var version: IPVersion
  package var port: UInt16

  package var family: Int32 { version == .v4 ? AF_INET : AF_INET6 }

  package init(_ address: IPAddress, _ version: IPVersion, port: UInt16) {
    (self.address, self.version, self.port) = (address, version, port)
  }

  /// The local end of a connected socket.
  init?(boundTo descriptor: Int32) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = unsafe withUnsafeMutablePointer(to: &storage) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { return nil }
    unsafe self.init(&storage)
  }

  /// Reads a socket address of either family.
  @unsafe init?(_ storage: UnsafeRawPointer) {
    switch unsafe Int32(storage.load(as: sa_family_t.self)) {
    case AF_INET:
      let ipv4 = unsafe storage.load(as: sockaddr_in.self)
      self.init(IPAddress(IPv4Octets(storage: ipv4.sin_addr.s_addr)), .v4, port: UInt16(bigEndian: ipv4.sin_port))
    case AF_INET6:
      let ipv6 = unsafe storage.load(as: sockaddr_in6.self)
      let address = unsafe withUnsafeBytes(of: ipv6.sin6_addr) { unsafe $0.loadUnaligned(as: IPAddress.self) }
      self.init(address, .v6, port: UInt16(bigEndian: ipv6.sin6_port))
    default: return nil
    }
  }

  /// Shows the address as a sockaddr.
  package func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if version == .v4 {
      var ipv4 = sockaddr_in()
      ipv4.sin_family = sa_family_t(AF_INET)
      ipv4.sin_port = port.bigEndian
      ipv4.sin_addr.s_addr = address.ipv4.storage
      return unsafe withUnsafePointer(to: ipv4) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    var ipv6 = sockaddr_in6()
    ipv6.sin6_family = sa_family_t(AF_INET6)
    ipv6.sin6_port = port.bigEndian
    unsafe withUnsafeMutableBytes(of: &ipv6.sin6_addr) { unsafe $0.storeBytes(of: address, as: IPAddress.self) }
    return unsafe withUnsafePointer(to: ipv6) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
  }

  /// Asks the system's resolver; blocks as long as that takes. Empty where it knows none.
  static func resolve(_ name: String, port: UInt16, _ version: IPVersion?) -> [ResolvedAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    unsafe hints.ai_family = version.map { $0 == .v4 ? AF_INET : AF_INET6 } ?? AF_UNSPEC
    var list: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
    let first = unsafe list
    defer { unsafe freeaddrinfo(first) }
    var found: [ResolvedAddress] = []
    while let entry = unsafe list?.pointee {
      if let storage = unsafe entry.ai_addr, var address = unsafe ResolvedAddress(UnsafeRawPointer(storage)) {
        address.port = port
        found.append(address)
      }
      unsafe list = unsafe entry.ai_next
    }
    return found
  }
}
