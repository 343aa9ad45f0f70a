// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter
internal import FlowMeter

/// A connection as ctnetlink tells of it: the attributes of IPCTNL_MSG_CT_NEW and _DELETE
/// (<linux/netfilter/nfnetlink_conntrack.h>).
///
/// Read in place and not by libnetfilter_conntrack, which allocates for each message and drops the identifier of an
/// ICMP connection's reply; what the kernel attaches to a packet of NFLOG has the same form.
struct ConntrackMessage {
  let connection: Connection
  /// When it began and ended, by the wall clock: where net.netfilter.nf_conntrack_timestamp is on. Of a connection that
  /// begins Linux tells it since 6.14.
  private(set) var start: Timestamp?
  private(set) var stop: Timestamp?
  /// Where net.netfilter.nf_conntrack_acct is on; else nil.
  private(set) var traffic: ConnectionTraffic?

  enum Kind {
    /// A connection that conntrack's table has begun or, in a dump, has.
    case new
    case destroy
  }

  /// Nil: a message of another subsystem or kind.
  static func kind(_ message: NetlinkMessage) -> Kind? {
    guard message.type >> 8 == UInt16(NFNL_SUBSYS_CTNETLINK) else { return nil }
    switch UInt32(message.type & 0xff) {
    case IPCTNL_MSG_CT_NEW.rawValue: return .new
    case IPCTNL_MSG_CT_DELETE.rawValue: return .destroy
    default: return nil
    }
  }

  /// CTA_TIMESTAMP_EVENT, which older headers do not name: the moment of the event.
  private static let eventTime: UInt32 = 27

  /// Reads the attributes in `range`. Nil where they tell of no connection, or of one that is not translated: nothing
  /// more is read of that.
  init?(_ bytes: RawSpan, attributes range: Range<Int>) {
    var (original, reply) = (Tuple?.none, Tuple?.none)
    var id: UInt32 = 0
    var (start, stop, event) = (Timestamp?.none, Timestamp?.none, Timestamp?.none)
    var (forth, back) = (Counters?.none, Counters?.none)
    var cursor = NetlinkCursor(range)
    while let attribute = cursor.nextAttribute(in: bytes) {
      let at = attribute.payload.lowerBound
      switch UInt32(attribute.type) {
      case CTA_TUPLE_ORIG.rawValue: original = Tuple(bytes, attribute.payload)
      case CTA_TUPLE_REPLY.rawValue:
        reply = Tuple(bytes, attribute.payload)
        if let original, let reply, original.values == reply.inverted { return nil }
      case CTA_ID.rawValue where attribute.payload.count >= 4: id = bytes.uint32(at: at)
      case CTA_COUNTERS_ORIG.rawValue: forth = Counters(bytes, attribute.payload)
      case CTA_COUNTERS_REPLY.rawValue: back = Counters(bytes, attribute.payload)
      case CTA_TIMESTAMP.rawValue: (start, stop) = Self.times(bytes, attribute.payload)
      case Self.eventTime where attribute.payload.count >= 8: event = Timestamp(nanoseconds: bytes.uint64(at: at))
      default: break
      }
    }
    guard let original, let reply, original.values != reply.inverted else { return nil }
    connection = Connection(
      original: original.values, translated: reply.inverted, version: original.version, protocol: original.protocol,
      id: id)
    (self.start, self.stop) = (start ?? event, stop ?? event)
    if let forth, let back {
      var traffic = ConnectionTraffic()
      (traffic.initiatorPackets, traffic.initiatorOctets) = (forth.packets, forth.octets)
      (traffic.responderPackets, traffic.responderOctets) = (back.packets, back.octets)
      self.traffic = traffic
    }
  }

  /// CTA_TUPLE_ORIG or _REPLY.
  private struct Tuple {
    var values = ConnectionTuple()
    var version = IPVersion.v4
    var `protocol` = IPProtocol.hopByHop

    /// Nil without addresses and protocol.
    init?(_ bytes: RawSpan, _ range: Range<Int>) {
      var (hasAddresses, hasProtocol) = (false, false)
      var cursor = NetlinkCursor(range)
      while let attribute = cursor.nextAttribute(in: bytes) {
        switch UInt32(attribute.type) {
        case CTA_TUPLE_IP.rawValue: hasAddresses = readAddresses(bytes, attribute.payload)
        case CTA_TUPLE_PROTO.rawValue: hasProtocol = readProtocol(bytes, attribute.payload)
        default: break
        }
      }
      guard hasAddresses, hasProtocol else { return nil }
    }

    private mutating func readAddresses(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
      var (cursor, count) = (NetlinkCursor(range), 0)
      while let attribute = cursor.nextAttribute(in: bytes) {
        let at = attribute.payload.lowerBound
        switch (UInt32(attribute.type), attribute.payload.count) {
        case (CTA_IP_V4_SRC.rawValue, 4): values.source = IPAddress(bytes.ipv4Octets(at: at))
        case (CTA_IP_V4_DST.rawValue, 4): values.destination = IPAddress(bytes.ipv4Octets(at: at))
        case (CTA_IP_V6_SRC.rawValue, 16): values.source = bytes.ipv6Address(at: at)
        case (CTA_IP_V6_DST.rawValue, 16): values.destination = bytes.ipv6Address(at: at)
        default: continue
        }
        version = attribute.payload.count == 4 ? .v4 : .v6
        count += 1
      }
      return count == 2
    }

    private mutating func readProtocol(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
      var (cursor, hasNumber) = (NetlinkCursor(range), false)
      while let attribute = cursor.nextAttribute(in: bytes) {
        let at = attribute.payload.lowerBound
        switch (UInt32(attribute.type), attribute.payload.count) {
        case (CTA_PROTO_NUM.rawValue, 1...):
          `protocol` = IPProtocol(rawValue: bytes.octet(at: at))
          hasNumber = true
        case (CTA_PROTO_SRC_PORT.rawValue, 2...): values.sourcePort = bytes.uint16(at: at)
        case (CTA_PROTO_DST_PORT.rawValue, 2...): values.destinationPort = bytes.uint16(at: at)
        case (CTA_PROTO_ICMP_ID.rawValue, 2...), (CTA_PROTO_ICMPV6_ID.rawValue, 2...):
          values.sourcePort = bytes.uint16(at: at)
        default: break
        }
      }
      return hasNumber
    }

    /// The other direction. An ICMP identifier has no direction.
    var inverted: ConnectionTuple {
      var inverse = values.inverse
      if [.icmp, .icmpv6].contains(`protocol`) {
        (inverse.sourcePort, inverse.destinationPort) = (values.sourcePort, values.destinationPort)
      }
      return inverse
    }
  }

  /// CTA_COUNTERS_ORIG or _REPLY.
  private struct Counters {
    var packets: UInt64 = 0
    var octets: UInt64 = 0

    init(_ bytes: RawSpan, _ range: Range<Int>) {
      var cursor = NetlinkCursor(range)
      while let attribute = cursor.nextAttribute(in: bytes) {
        guard attribute.payload.count >= 8 else { continue }
        switch UInt32(attribute.type) {
        case CTA_COUNTERS_PACKETS.rawValue: packets = bytes.uint64(at: attribute.payload.lowerBound)
        case CTA_COUNTERS_BYTES.rawValue: octets = bytes.uint64(at: attribute.payload.lowerBound)
        default: break
        }
      }
    }
  }

  /// CTA_TIMESTAMP: nanoseconds since 1970.
  private static func times(_ bytes: RawSpan, _ range: Range<Int>) -> (start: Timestamp?, stop: Timestamp?) {
    var (start, stop) = (Timestamp?.none, Timestamp?.none)
    var cursor = NetlinkCursor(range)
    while let attribute = cursor.nextAttribute(in: bytes) {
      guard attribute.payload.count >= 8 else { continue }
      let time = Timestamp(nanoseconds: bytes.uint64(at: attribute.payload.lowerBound))
      switch UInt32(attribute.type) {
      case CTA_TIMESTAMP_START.rawValue: start = time
      case CTA_TIMESTAMP_STOP.rawValue: stop = time
      default: break
      }
    }
    return (start, stop)
  }
}

extension Timestamp {
  /// Since 1970.
  fileprivate init(nanoseconds: UInt64) { self.init(milliseconds: Int64(nanoseconds / 1_000_000)) }
}
