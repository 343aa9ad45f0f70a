// SPDX-License-Identifier: Apache-2.0
//
// Unsafe only in that octets become a number and strings, each within its message or attribute.

internal import CNetfilter

/// What a message of rtnetlink says of an interface (rtnetlink(7), <linux/if_link.h>).
///
///     ifinfomsg   family 1, padding 1, device type 2, index 4, flags 4, change 4
///     attributes  IFLA_IFNAME, IFLA_IFALIAS, IFLA_PROP_LIST of IFLA_ALT_IFNAME, and many that are not read
enum LinkMessage: Equatable {
  /// There is this interface (RTM_NEWLINK). Its speed is not told.
  case present(NetworkInterface)
  /// There is none with this index any more (RTM_DELLINK).
  case gone(index: UInt32)

  private enum Offset {
    static let family = 0
    static let index = 4
    static let attributes = 16
  }

  /// nil where the message is another, or says nothing of an interface as a whole.
  init?(_ message: NetlinkMessage, in datagram: RawSpan) {
    let start = message.payload.lowerBound
    guard message.payload.count >= Offset.attributes else { return nil }
    // A bridge tells of its ports with messages of its own family: that a port has left is no interface gone.
    let family = unsafe datagram.unsafeLoad(fromByteOffset: start + Offset.family, as: UInt8.self)
    guard family == AF_UNSPEC else { return nil }
    let index = datagram.nativeUInt32(at: start + Offset.index)
    guard index > 0 else { return nil }
    switch Int(message.type) {
    case RTM_NEWLINK:
      let attributes = start + Offset.attributes..<message.payload.upperBound
      guard let interface = Self.interface(index, attributes, in: datagram) else { return nil }
      self = .present(interface)
    case RTM_DELLINK: self = .gone(index: index)
    default: return nil
    }
  }

  private static func interface(_ index: UInt32, _ range: Range<Int>, in datagram: RawSpan) -> NetworkInterface? {
    var interface = NetworkInterface(index: index, name: "")
    var cursor = NetlinkCursor(range)
    while let attribute = cursor.nextAttribute(in: datagram) {
      switch Int(attribute.type) {
      case IFLA_IFNAME: interface.name = datagram.text(attribute.payload)
      case IFLA_IFALIAS: interface.alias = datagram.text(attribute.payload)
      case IFLA_PROP_LIST:
        var properties = NetlinkCursor(attribute.payload)
        while let property = properties.nextAttribute(in: datagram) {
          guard property.type == IFLA_ALT_IFNAME else { continue }
          interface.alternativeNames.append(datagram.text(property.payload))
        }
      // An event of a wireless driver, which leaves the alias out.
      case IFLA_WIRELESS: return nil
      default: break
      }
    }
    return interface.name.isEmpty ? nil : interface
  }
}
