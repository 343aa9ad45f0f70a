// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: walks the list of getifaddrs(3), which is freed behind.

internal import FlowMeter
internal import Glibc

/// The way that messages to a Collector would take now. Nothing is sent to find it out.
public struct CollectorPath: Sendable {
  /// Where messages go; of a name the address that is used first.
  public var remote: String
  /// The address that they come from.
  public var local: String
  /// The interface that has it; nil where none says so.
  public var interface: String?
  /// The longest packet that passes, as far as the kernel knows; nil where it does not. Octets.
  public var mtu: Int?

  /// Looks a name up, which may take as long as the system's resolver does, and connects a socket.
  public init(to destination: CollectorAddress, _ configuration: ExportConfiguration) throws(ExportError) {
    let address: ResolvedAddress
    switch destination.host {
    case .address(let ip, let version): address = ResolvedAddress(ip, version, port: destination.port)
    case .name(let name):
      let found = ResolvedAddress.resolve(name, port: destination.port, destination.source?.version)
      guard let first = found.first else { throw .nameWithoutAddress }
      address = first
    }
    let session = try UDPSession(to: address, from: destination, configuration)
    remote = address.address.text(address.version)
    let source = session.own?.source ?? IPAddress()
    local = source.text(address.version)
    interface = Self.interface(having: source, address.version)
    mtu = session.pathMTU
  }

  private static func interface(having address: IPAddress, _ version: IPVersion) -> String? {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard unsafe getifaddrs(&first) == 0 else { return nil }
    defer { unsafe freeifaddrs(first) }
    var next = unsafe first
    while let entry = unsafe next?.pointee {
      if let storage = unsafe entry.ifa_addr, let found = unsafe ResolvedAddress(UnsafeRawPointer(storage)),
        found.version == version, found.address == address
      {
        return unsafe String(cString: entry.ifa_name)
      }
      unsafe next = unsafe entry.ifa_next
    }
    return nil
  }
}
