// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws or reads a clock.

internal import CNetfilter
internal import FlowMeter

/// A packet as nfnetlink_log tells of it: the attributes of a NFULNL_MSG_PACKET (<linux/netfilter/nfnetlink_log.h>).
///
/// Attributes are read where they lie. One that is shorter than its value is as if it were not there.
struct NFLogPacket {
  /// NFPROTO_: whose hook it is.
  let family: UInt8
  /// The EtherType of what the payload begins with.
  var etherType: UInt16 = 0
  var hook: UInt8 = 0
  var mark: UInt32 = 0
  var ingressInterface: UInt32 = 0
  var egressInterface: UInt32 = 0
  /// The bridge's port behind the interface; 0 where there is none.
  var physicalIngressInterface: UInt32 = 0
  var physicalEgressInterface: UInt32 = 0
  /// By the wall clock; nil in OUTPUT and POSTROUTING, where the kernel gives none.
  var time: Timestamp?
  /// How many packets the group was given before this one; nil where the kernel was not asked.
  var sequence: UInt32?
  /// The user whose socket sent it.
  var userID: UInt32?
  /// The VLAN tag that the bridge took off; 0 where there was none.
  var outerTag: UInt16 = 0
  /// The Ethernet header.
  var ethernetHeader = 0..<0
  /// The connection: nested attributes as in a conntrack message.
  var conntrack = 0..<0
  /// The packet from its network header on, as far as it was copied.
  var payload = 0..<0

  private var hardwareType: UInt16 = 0
  private var hardwareHeader = 0..<0

  /// The message's type: subsystem NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET.
  static let messageType = UInt16(NFNL_SUBSYS_ULOG) << 8

  /// ARPHRD_ETHER, and the length of its header.
  private static let ethernet: (type: UInt16, length: Int) = (1, 14)

  /// Reads the message whose payload is `range`: the header at least.
  @inline(__always)
  init(_ bytes: RawSpan, _ range: Range<Int>) {
    family = bytes.octet(at: range.lowerBound)
    var cursor = NetlinkCursor(range.lowerBound + NetlinkMessage.netfilterHeaderLength..<range.upperBound)
    while let attribute = cursor.nextAttribute(in: bytes) {
      let at = attribute.payload.lowerBound
      switch (Int(attribute.type), attribute.payload.count) {
      case (Self.packetHeader, 4...):
        etherType = bytes.uint16(at: at)
        hook = bytes.octet(at: at + 2)
      case (Self.mark, 4...): mark = bytes.uint32(at: at)
      case (Self.timestamp, 16...):
        // Seconds and microseconds, 64 bits each.
        let seconds = UInt64(bytes.uint32(at: at)) << 32 | UInt64(bytes.uint32(at: at + 4))
        time = Timestamp(
          seconds: Int(truncatingIfNeeded: seconds), nanoseconds: Int(bytes.uint32(at: at + 12)) * 1000)
      case (Self.ingress, 4...): ingressInterface = bytes.uint32(at: at)
      case (Self.egress, 4...): egressInterface = bytes.uint32(at: at)
      case (Self.physicalIngress, 4...): physicalIngressInterface = bytes.uint32(at: at)
      case (Self.physicalEgress, 4...): physicalEgressInterface = bytes.uint32(at: at)
      case (Self.payload, _): payload = attribute.payload
      case (Self.user, 4...): userID = bytes.uint32(at: at)
      case (Self.sequence, 4...): sequence = bytes.uint32(at: at)
      case (Self.hardwareType, 2...): hardwareType = bytes.uint16(at: at)
      case (Self.hardwareHeader, Self.ethernet.length...): hardwareHeader = attribute.payload
      case (Self.layer2Header, Self.ethernet.length...): ethernetHeader = attribute.payload
      case (Self.conntrack, _): conntrack = attribute.payload
      case (Self.vlan, _): readVLAN(bytes, attribute.payload)
      default: break
      }
    }
    // What stands before the packet is an Ethernet header only if the device says so: a tunnel's is not.
    if hardwareType == Self.ethernet.type { ethernetHeader = hardwareHeader }
  }

  /// Which way it goes: out of this host where it is seen last before that, else in.
  @inline(__always)
  var direction: FlowDirection {
    switch (family, hook) {
    // Of a device itself there are two hooks of their own (NF_NETDEV_INGRESS, NF_NETDEV_EGRESS).
    case (Self.netdev, _): hook == 1 ? .egress : .ingress
    // NF_INET_LOCAL_OUT and NF_INET_POST_ROUTING; a bridge's have the same numbers.
    case (_, 3), (_, 4): .egress
    default: .ingress
    }
  }

  /// NFPROTO_NETDEV.
  private static let netdev: UInt8 = 5

  /// What of it is recorded beside: the bridge's ports always.
  @inline(__always)
  func detail(_ bytes: RawSpan, _ wanted: RecordedDetails) -> PacketDetail {
    var detail = PacketDetail()
    detail.ingressPhysicalInterface = physicalIngressInterface
    detail.egressPhysicalInterface = physicalEgressInterface
    if wanted.hardwareAddresses, !ethernetHeader.isEmpty {
      detail.destinationMACAddress = MACAddress(bytes, at: ethernetHeader.lowerBound)
      detail.sourceMACAddress = MACAddress(bytes, at: ethernetHeader.lowerBound + 6)
    }
    if wanted.mark { detail.mark = mark }
    if wanted.userID { detail.userID = userID }
    return detail
  }

  /// Nested: the tag's EtherType, its control information.
  private mutating func readVLAN(_ bytes: RawSpan, _ range: Range<Int>) {
    var cursor = NetlinkCursor(range)
    while let attribute = cursor.nextAttribute(in: bytes) {
      if attribute.type == UInt16(NFULA_VLAN_TCI.rawValue), attribute.payload.count >= 2 {
        outerTag = bytes.uint16(at: attribute.payload.lowerBound)
      }
    }
  }

  // The attributes' numbers, as constants that a switch takes.
  private static let packetHeader = Int(NFULA_PACKET_HDR.rawValue)
  private static let mark = Int(NFULA_MARK.rawValue)
  private static let timestamp = Int(NFULA_TIMESTAMP.rawValue)
  private static let ingress = Int(NFULA_IFINDEX_INDEV.rawValue)
  private static let egress = Int(NFULA_IFINDEX_OUTDEV.rawValue)
  private static let physicalIngress = Int(NFULA_IFINDEX_PHYSINDEV.rawValue)
  private static let physicalEgress = Int(NFULA_IFINDEX_PHYSOUTDEV.rawValue)
  private static let payload = Int(NFULA_PAYLOAD.rawValue)
  private static let user = Int(NFULA_UID.rawValue)
  private static let sequence = Int(NFULA_SEQ.rawValue)
  private static let hardwareType = Int(NFULA_HWTYPE.rawValue)
  private static let hardwareHeader = Int(NFULA_HWHEADER.rawValue)
  private static let conntrack = Int(NFULA_CT.rawValue)
  private static let vlan = Int(NFULA_VLAN.rawValue)
  private static let layer2Header = Int(NFULA_L2HDR.rawValue)
}
