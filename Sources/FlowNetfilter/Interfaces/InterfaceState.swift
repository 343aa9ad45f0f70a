// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter
public import FlowMeter
internal import Glibc

/// What an interface is at one moment: whether it is up, and which others its packets pass too.
public struct InterfaceState: Hashable, Sendable {
  /// The ifIndex.
  public var index: UInt32
  public var name: String
  /// Set up by the operator (IFF_UP).
  public var isUp = false
  /// With a cable, or what is one to it (IFF_RUNNING).
  public var hasCarrier = false
  public var isLoopback = false
  /// The bridge or bond that it is a port of.
  public var controller: UInt32?
  /// The interface that it lies on, as a VLAN's, or the other end of its link; in this network namespace.
  public var below: UInt32?

  public init(index: UInt32, name: String) { (self.index, self.name) = (index, name) }

  /// All interfaces of this network namespace, as rtnetlink lists them.
  public static func all() throws(SystemError) -> [InterfaceState] {
    var dump = try NetlinkDump(NETLINK_ROUTE)
    return try dump.list(Int32(RTM_GETLINK), headerLength: MemoryLayout<ifinfomsg>.size) { InterfaceState($0, in: $1) }
  }

  private enum Offset {
    static let index = 4
    static let flags = 8
    static let attributes = 16
  }

  /// See ``LinkMessage``. Nil where the message is another.
  init?(_ message: NetlinkMessage, in datagram: RawSpan) {
    guard case .present(let interface) = LinkMessage(message, in: datagram) else { return nil }
    let start = message.payload.lowerBound
    let flags = Int32(bitPattern: datagram.nativeUInt32(at: start + Offset.flags))
    self.init(index: interface.index, name: interface.name)
    isUp = flags & Int32(IFF_UP) != 0
    hasCarrier = flags & Int32(IFF_RUNNING) != 0
    isLoopback = flags & Int32(IFF_LOOPBACK) != 0
    var isElsewhere = false
    datagram.forEachAttribute(in: start + Offset.attributes..<message.payload.upperBound) { type, value in
      switch Int(type) {
      case IFLA_MASTER where value.count >= 4: controller = datagram.nativeUInt32(at: value.lowerBound)
      case IFLA_LINK where value.count >= 4: below = datagram.nativeUInt32(at: value.lowerBound)
      case IFLA_LINK_NETNSID: isElsewhere = true
      default: break
      }
    }
    // Tunnels say 0, some interfaces name themselves.
    if isElsewhere || below == 0 || below == index { below = nil }
  }
}
