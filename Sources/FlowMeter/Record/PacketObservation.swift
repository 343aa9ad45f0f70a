// SPDX-License-Identifier: Apache-2.0

/// What one packet adds to its Flow.
///
/// The decoder writes it, the fragment tracker may complete its key, the table adds it.
public struct PacketObservation: Sendable {
  /// Of which Flow the packet is.
  public var key = FlowKey()
  /// When it was observed, on the clock of the table.
  public var time = Timestamp(milliseconds: 0)
  /// IP octets: IPv4 total length, IPv6 payload length + 40; never what was captured.
  public var octets: UInt32 = 0
  /// The ifIndex of the interface that the packet leaves by (IE 14); 0 where it is not known.
  public var egressInterface: UInt32 = 0
  /// The IPv6 flow label (IE 31), 20 bits.
  public var flowLabel: UInt32 = 0
  /// IPv4 options (IE 208) or IPv6 extension headers (IE 64), a bit each: see `IPv4Header` and `IPv6Header`.
  public var ipOptions: UInt32 = 0
  /// TCP options (IE 209), kind k as bit k, for kinds below 32.
  public var tcpOptions: UInt32 = 0
  /// The low octet of the TCP control bits (IE 6).
  public var tcpControlBits: UInt8 = 0
  /// Which part of a datagram it is.
  public var fragment: Fragment = .none
  /// IE 61; nil where it is not known.
  public var direction: FlowDirection?
  /// To how many bits aggregation has cut the key's addresses; 0 where it has not.
  var sourcePrefixLength: UInt8 = 0
  var destinationPrefixLength: UInt8 = 0
  /// Whether the batch holds a ``PacketDetail`` beside it.
  var hasDetail = false
  /// What ties the fragments of one datagram together: the IPv4 or IPv6 Identification.
  public var fragmentIdentification: UInt32 = 0

  /// Which part of a datagram the packet is.
  public enum Fragment: UInt8, Sendable {
    /// A whole datagram.
    case none
    /// The fragment at offset 0: it has the ports.
    case first
    /// A fragment at another offset: it has none.
    case later
  }

  public init() {}
}

/// What a Packet Source knows of a packet beside its bytes; what only some know is a ``PacketDetail``.
public struct CaptureMetadata: Sendable {
  /// When it was observed, on the clock of the table.
  public var time: Timestamp
  /// The packet's length where it was observed, in octets with the link header; the bytes may be cut short of it.
  public var wireLength: Int
  /// How its bytes begin.
  public var linkType: LinkType
  /// The ifIndex that it came in by (IE 10); 0 where it is not known.
  public var ingressInterface: UInt32
  /// The ifIndex that it leaves by (IE 14); 0 where it is not known.
  public var egressInterface: UInt32
  /// Nil where it is not known.
  public var direction: FlowDirection?
  /// Of ``LinkType/network``: the EtherType of what the bytes begin with.
  public var etherType: UInt16 = 0
  /// Of ``LinkType/network``: the control information of a VLAN tag that was taken off before; 0 where there was none.
  public var outerTag: UInt16 = 0

  public init(
    time: Timestamp, wireLength: Int, linkType: LinkType, ingressInterface: UInt32 = 0,
    egressInterface: UInt32 = 0, direction: FlowDirection? = nil
  ) {
    self.time = time
    self.wireLength = wireLength
    self.linkType = linkType
    self.ingressInterface = ingressInterface
    self.egressInterface = egressInterface
    self.direction = direction
  }
}
