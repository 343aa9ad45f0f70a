// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter
public import FlowMeter
internal import Glibc

/// Which interfaces have addresses of which IP version that reach further than their link and the machine.
public struct AddressedInterfaces: Sendable {
  /// By ifIndex.
  public var ipv4: Set<UInt32> = []
  public var ipv6: Set<UInt32> = []

  public init(ipv4: Set<UInt32> = [], ipv6: Set<UInt32> = []) { (self.ipv4, self.ipv6) = (ipv4, ipv6) }

  /// Of this network namespace, as rtnetlink lists them.
  public static func all() throws(SystemError) -> AddressedInterfaces {
    var dump = try NetlinkDump(NETLINK_ROUTE)
    let addresses = try dump.list(Int32(RTM_GETADDR), headerLength: MemoryLayout<ifaddrmsg>.size, Self.address)
    var interfaces = AddressedInterfaces()
    for (family, index) in addresses {
      switch family {
      case AF_INET: interfaces.ipv4.insert(index)
      case AF_INET6: interfaces.ipv6.insert(index)
      default: break
      }
    }
    return interfaces
  }

  /// rtnetlink's ifaddrmsg: family 1, prefix length 1, flags 1, scope 1, index 4.
  private static func address(_ message: NetlinkMessage, _ datagram: RawSpan) -> (family: Int32, index: UInt32)? {
    guard message.type == RTM_NEWADDR, message.payload.count >= MemoryLayout<ifaddrmsg>.size else { return nil }
    let start = message.payload.lowerBound
    guard datagram.octet(at: start + 3) < RT_SCOPE_LINK.rawValue else { return nil }
    return (Int32(datagram.octet(at: start)), datagram.nativeUInt32(at: start + 4))
  }
}
