// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.

/// How a captured frame begins: libpcap's link-layer header types (DLT_ values; tcpdump.org/linktypes.html), and one
/// that libpcap does not know.
public struct LinkType: RawRepresentable, Hashable, Sendable {
  public var rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// BSD loopback: an address family of four octets in the capturing machine's order.
  public static let null = LinkType(rawValue: 0)
  /// Ethernet (IEEE 802.3), tags and labels included.
  public static let ethernet = LinkType(rawValue: 1)
  /// PPP, with or without the address and control octets of HDLC framing.
  public static let ppp = LinkType(rawValue: 9)
  /// An IP packet without a link header.
  public static let raw = LinkType(rawValue: 12)
  /// PPP in HDLC-like framing (RFC 1662), or Cisco HDLC.
  public static let pppSerial = LinkType(rawValue: 50)
  /// A PPPoE session frame without its Ethernet header.
  public static let pppoe = LinkType(rawValue: 51)
  /// Cisco HDLC.
  public static let ciscoHDLC = LinkType(rawValue: 104)
  /// OpenBSD loopback: as ``null``, in network order.
  public static let loop = LinkType(rawValue: 108)
  /// Linux cooked capture, version 1.
  public static let linuxSLL = LinkType(rawValue: 113)
  /// PPP behind an octet that tells the direction.
  public static let pppWithDirection = LinkType(rawValue: 166)
  /// An IPv4 packet without a link header.
  public static let ipv4 = LinkType(rawValue: 228)
  /// An IPv6 packet without a link header.
  public static let ipv6 = LinkType(rawValue: 229)
  /// Linux cooked capture, version 2: it names the interface.
  public static let linuxSLL2 = LinkType(rawValue: 276)
  /// No link header: the source tells the EtherType of what the bytes begin with (``CaptureMetadata/etherType``).
  public static let network = LinkType(rawValue: -1)

  /// Whether ``PacketDecoder`` reads it.
  public var isSupported: Bool {
    switch self {
    case .null, .ethernet, .ppp, .raw, .pppSerial, .pppoe, .ciscoHDLC, .loop, .linuxSLL, .pppWithDirection, .ipv4,
      .ipv6, .linuxSLL2, .network:
      true
    default: false
    }
  }
}

/// A PPP protocol number (IANA "PPP DLL Protocol Numbers").
private enum PPPProtocol {
  static let ipv4: UInt16 = 0x0021
  static let ipv6: UInt16 = 0x0057
  static let mpls: UInt16 = 0x0281
  static let mplsMulticast: UInt16 = 0x0283
}

/// What stands before the IP header: skipped, except the VLAN tags and the interface that it names.
struct LinkHeader {
  /// Where the IP header begins.
  var payloadOffset = 0
  /// The version that the link header announces; nil where it announces none and the IP header decides.
  var version: IPVersion?
  var outerTag: UInt16 = 0
  var innerTag: UInt16 = 0
  /// How many entries the MPLS label stack has that ends where the IP header begins; 0: there is none.
  var labelStackDepth: UInt16 = 0
  /// From Linux cooked v2; 0 elsewhere.
  var interface: UInt32 = 0

  @inline(__always)
  init(_ bytes: RawSpan, _ metadata: borrowing CaptureMetadata) throws(DecodeFailure) {
    if metadata.linkType == .ethernet {
      try parseEtherType(bytes, at: 12)
    } else if metadata.linkType == .network, metadata.etherType == EtherType.ipv4 {
      (version, outerTag) = (.v4, metadata.outerTag)
    } else {
      try parseOther(bytes, metadata)
    }
  }

  private mutating func parseOther(_ bytes: RawSpan, _ metadata: borrowing CaptureMetadata) throws(DecodeFailure) {
    switch metadata.linkType {
    case .network:
      outerTag = metadata.outerTag
      try parseEtherType(metadata.etherType, bytes, payloadAt: 0, tags: outerTag == 0 ? 0 : 1)
    case .raw: break
    case .ipv4: version = .v4
    case .ipv6: version = .v6
    case .null, .loop: try parseLoopback(bytes)
    case .linuxSLL:
      // packet type (2), ARPHRD type (2), length of the address (2), address (8), protocol (2)
      try parseEtherType(bytes, at: 14)
    case .linuxSLL2:
      // protocol (2), reserved (2), interface index (4), ARPHRD type (2), packet type (1), length of the address (1),
      // address (8)
      guard bytes.byteCount >= 20 else { throw .linkHeaderTruncated }
      interface = bytes.uint32(at: 4)
      try parseEtherType(bytes.uint16(at: 0), bytes, payloadAt: 20)
    case .ciscoHDLC: try parseEtherType(bytes, at: 2)
    case .ppp, .pppSerial: try parsePPP(bytes, at: 0)
    case .pppWithDirection: try parsePPP(bytes, at: 1)
    case .pppoe: try parsePPPoE(bytes, at: 0)
    default: throw .notIP
    }
  }

  /// The addresses in the header: of Ethernet both, of Linux cooked capture the sender's where it has six octets.
  /// Nothing where there are none or the header is cut off.
  static func hardwareAddresses(_ bytes: RawSpan, _ type: LinkType) -> PacketDetail {
    var detail = PacketDetail()
    switch type {
    case .ethernet where bytes.byteCount >= 14:
      detail.destinationMACAddress = MACAddress(bytes, at: 0)
      detail.sourceMACAddress = MACAddress(bytes, at: 6)
    case .linuxSLL where bytes.byteCount >= 16 && bytes.uint16(at: 4) == 6:
      detail.sourceMACAddress = MACAddress(bytes, at: 6)
    case .linuxSLL2 where bytes.byteCount >= 20 && bytes.octet(at: 11) == 6:
      detail.sourceMACAddress = MACAddress(bytes, at: 12)
    default: break
    }
    return detail
  }

  /// Reads the EtherType at `offset`, and every header until IP; the payload follows it.
  @inline(__always)
  private mutating func parseEtherType(_ bytes: RawSpan, at offset: Int) throws(DecodeFailure) {
    guard bytes.byteCount >= offset + 2 else { throw .linkHeaderTruncated }
    let etherType = bytes.uint16(at: offset)
    if etherType == EtherType.ipv4 {
      (version, payloadOffset) = (.v4, offset + 2)
    } else {
      try parseEtherType(etherType, bytes, payloadAt: offset + 2)
    }
  }

  private mutating func parseEtherType(
    _ first: UInt16, _ bytes: RawSpan, payloadAt start: Int, tags before: Int = 0
  ) throws(DecodeFailure) {
    var (etherType, offset, tags) = (first, start, before)
    while true {
      switch etherType {
      case EtherType.ipv4:
        (version, payloadOffset) = (.v4, offset)
        return
      case EtherType.ipv6:
        (version, payloadOffset) = (.v6, offset)
        return
      case EtherType.vlan, EtherType.serviceVLAN, EtherType.oldQinQ:
        guard bytes.byteCount >= offset + 4 else { throw .linkHeaderTruncated }
        if tags == 0 { outerTag = bytes.uint16(at: offset) }
        if tags == 1 { innerTag = bytes.uint16(at: offset) }
        tags += 1
        etherType = bytes.uint16(at: offset + 2)
        offset += 4
      case EtherType.mpls, EtherType.mplsMulticast:
        return try parseMPLS(bytes, at: offset)
      case EtherType.pppoeSession:
        return try parsePPPoE(bytes, at: offset)
      case ..<EtherType.smallest:
        // IEEE 802.2 SNAP: AA AA 03, organisation 00 00 00, then an EtherType (RFC 1042).
        guard bytes.byteCount >= offset + 8 else { throw .linkHeaderTruncated }
        guard bytes.uint32(at: offset) == 0xaaaa_0300, bytes.uint16(at: offset + 4) == 0 else { throw .notIP }
        etherType = bytes.uint16(at: offset + 6)
        offset += 8
        if etherType < EtherType.smallest { throw .notIP }
      default:
        throw .notIP
      }
    }
  }

  /// Label stack entries of four octets until the one with the S bit (RFC 3032 section 2.1); nothing says what
  /// follows, so the IP header's version decides.
  private mutating func parseMPLS(_ bytes: RawSpan, at start: Int) throws(DecodeFailure) {
    var offset = start
    while true {
      guard bytes.byteCount >= offset + 4 else { throw .linkHeaderTruncated }
      let bottom = bytes.octet(at: offset + 2) & 1 != 0
      offset += 4
      if bottom { break }
    }
    payloadOffset = offset
    // No frame has room for more.
    labelStackDepth = UInt16(clamping: (offset - start) / 4)
  }

  /// The entries of the label stack, at most so many from the top.
  @inline(never)
  func labels(_ bytes: RawSpan, most: Int) -> MPLSLabelStack {
    let depth = Int(labelStackDepth)
    return MPLSLabelStack(bytes, at: payloadOffset - 4 * depth, depth: depth, recorded: min(depth, most))
  }

  /// Version and type (1), code (1), session (2), length (2), then a PPP frame (RFC 2516 section 4).
  private mutating func parsePPPoE(_ bytes: RawSpan, at offset: Int) throws(DecodeFailure) {
    guard bytes.byteCount >= offset + 8 else { throw .linkHeaderTruncated }
    guard bytes.octet(at: offset + 1) == 0 else { throw .notIP }  // discovery, not session data
    try parsePPP(bytes, at: offset + 6)
  }

  /// Address and control where present (RFC 1662), then a protocol number of two octets, or of one where it is odd
  /// (RFC 1661 section 6.5).
  private mutating func parsePPP(_ bytes: RawSpan, at start: Int) throws(DecodeFailure) {
    var offset = start
    guard bytes.byteCount >= offset + 2 else { throw .linkHeaderTruncated }
    if bytes.uint16(at: offset) == 0xff03 { offset += 2 }
    guard bytes.byteCount >= offset + 2 else { throw .linkHeaderTruncated }
    var pppProtocol = UInt16(bytes.octet(at: offset))
    if pppProtocol & 1 == 0 {
      pppProtocol = bytes.uint16(at: offset)
      offset += 1
    }
    offset += 1
    switch pppProtocol {
    case PPPProtocol.ipv4: (version, payloadOffset) = (.v4, offset)
    case PPPProtocol.ipv6: (version, payloadOffset) = (.v6, offset)
    case PPPProtocol.mpls, PPPProtocol.mplsMulticast: try parseMPLS(bytes, at: offset)
    default: throw .notIP
    }
  }

  /// An address family of four octets, in either order, with the numbers of any system that writes such captures.
  private mutating func parseLoopback(_ bytes: RawSpan) throws(DecodeFailure) {
    guard bytes.byteCount >= 4 else { throw .linkHeaderTruncated }
    let family = bytes.uint32(at: 0)
    switch family > 0xffff ? family.byteSwapped : family {
    case 2: version = .v4
    case 10, 24, 28, 30: version = .v6  // Linux; NetBSD and OpenBSD; FreeBSD; macOS
    default: throw .notIP
    }
    payloadOffset = 4
  }
}
