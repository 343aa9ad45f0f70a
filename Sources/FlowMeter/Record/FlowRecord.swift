// SPDX-License-Identifier: Apache-2.0

/// A Flow Record (RFC 7011 section 2): what the Metering Process says of one Flow.
///
/// Counters are deltas: of a Flow that outlives the active timeout, each record reports what came since the one
/// before. The Information Elements of the export bind to these stored properties, so a metered value is added here
/// and in one line of `FlowFields`.
public struct FlowRecord: Sendable {
  /// What its packets have in common.
  public var key = FlowKey()
  /// IE 2 packetDeltaCount.
  public var packets: UInt64 = 0
  /// IE 1 octetDeltaCount: IP octets.
  public var octets: UInt64 = 0
  /// The first packet's time (IE 152).
  public var start = Timestamp(milliseconds: 0)
  /// The last packet's time (IE 153).
  public var end = Timestamp(milliseconds: 0)
  /// IE 14; of the first packet; 0 where it is not known.
  public var egressInterface: UInt32 = 0
  /// IE 15 and 62; unspecified: who observes packets does not see the route.
  public var nextHop = IPAddress()
  /// IE 9: to how many bits aggregation has cut the source address; 0 where it has not.
  public var sourcePrefixLength: UInt8 = 0
  /// IE 13: the same of the destination.
  public var destinationPrefixLength: UInt8 = 0
  /// IE 31; of the first packet; 0 for IPv4.
  public var flowLabel: UInt32 = 0
  /// IE 208 of IPv4, IE 64 of IPv6: what any packet of the Flow carried.
  public var ipOptions: UInt32 = 0
  /// IE 209: what any packet of the Flow carried.
  public var tcpOptions: UInt32 = 0
  /// IE 6, low octet: of all packets of the Flow.
  public var tcpControlBits: UInt8 = 0
  /// IE 136: why it is reported.
  public var endReason = FlowEndReason.forcedEnd
  /// IE 61; of the first packet; nil where it is not known.
  public var direction: FlowDirection?
  /// What is known beside of the first packet.
  public var detail = PacketDetail()
  /// The MPLS labels: as many as the key says (``FlowKey/recordedLabels``).
  public var labels = MPLSLabelStack()

  /// Whether the packets belong to a translated connection: then the four below say what they are when they have
  /// passed all translations, wherever they were observed (RFC 8158 section 4.1).
  public var isTranslated = false
  /// IE 225 or 281.
  public var postNATSource = IPAddress()
  /// IE 226 or 282.
  public var postNATDestination = IPAddress()
  /// IE 227.
  public var postNAPTSourcePort: UInt16 = 0
  /// IE 228.
  public var postNAPTDestinationPort: UInt16 = 0

  @inline(__always)
  public init() {}
}

/// Values that several Information Elements read out of one property.
extension FlowRecord {
  /// IE 295 IPSecSPI of an AH or ESP Flow.
  public var securityParameterIndex: UInt32 {
    UInt32(key.sourcePort) << 16 | UInt32(key.destinationPort)
  }

  /// The VLAN id and the priority of a tag's control information (IEEE 802.1Q section 9.6).
  public static func vlan(_ tag: UInt16) -> (id: UInt16, priority: UInt8) {
    (tag & 0x0fff, UInt8(tag >> 13))
  }
}
