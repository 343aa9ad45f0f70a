// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket options and addresses of ours, handed to system calls.

internal import CShims
internal import FlowExport
internal import FlowMeter
internal import Glibc

/// Where a server listens by TCP: `port`, on the loopback interface, `address:port` or `[address]:port`.
struct ListeningAddress: Hashable, CustomStringConvertible {
  private let address: ResolvedAddress

  /// Nil where the text is none.
  init?(_ text: String) {
    let mark = text.lastIndex(of: ":")
    guard let port = UInt16(mark.map { text[text.index(after: $0)...] } ?? text[...]), port != 0 else { return nil }
    var host = mark.map { String(text[..<$0]) } ?? "127.0.0.1"
    let isBracketed = host.first == "[" && host.last == "]" && host.count > 2
    if isBracketed { host = String(host.dropFirst().dropLast()) }
    guard let (literal, version) = IPAddress.parse(host), isBracketed == (version == .v6) else { return nil }
    address = ResolvedAddress(literal, version, port: port)
  }

  var port: UInt16 { address.port }

  var description: String {
    let host = address.address.text(address.version)
    return address.version == .v4 ? "\(host):\(address.port)" : "[\(host)]:\(address.port)"
  }

  /// A socket that listens there and does not block.
  func listen() throws(ListeningError) -> Int32 {
    let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .network(self, .last) }
    var yes: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
    if address.version == .v6 { unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size) }
    let isBound = unsafe address.withSocketAddress { unsafe bind(descriptor, $0, $1) } == 0
    guard isBound, Glibc.listen(descriptor, 16) == 0 else {
      let error = SystemError.last
      close(descriptor)
      throw .network(self, error)
    }
    return descriptor
  }
}
