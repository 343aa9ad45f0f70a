// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.

/// The parts of the transport headers that a Flow Key and a Flow Record hold.
enum TransportHeader {
  private enum TCPOffset {
    static let dataOffset = 12
    static let controlBits = 13
    static let options = 20
  }

  /// Reads the header at `start`, of which what lies before `end` belongs to the datagram. False where it is cut off:
  /// then the ports stay 0.
  @inline(__always)
  static func parse(
    _ bytes: RawSpan, at start: Int, end: Int, into observation: inout PacketObservation
  ) -> Bool {
    let available = min(bytes.byteCount, end) - start
    switch observation.key.protocol {
    case .tcp:
      // RFC 9293 section 3.1
      guard available >= 14 else {
        if available >= 4 { ports(bytes, at: start, into: &observation) }
        return false
      }
      ports(bytes, at: start, into: &observation)
      observation.tcpControlBits = bytes.octet(at: start + TCPOffset.controlBits)
      let headerLength = Int(bytes.octet(at: start + TCPOffset.dataOffset) >> 4) * 4
      if headerLength > TCPOffset.options {
        observation.tcpOptions = tcpOptions(
          bytes, from: start + TCPOffset.options, to: start + min(headerLength, available))
      }
      return true
    case .udp, .udpLite, .sctp, .dccp:
      // RFC 768, RFC 3828 section 3.1, RFC 9260 section 3.1, RFC 4340 section 5.1: ports first.
      guard available >= 4 else { return false }
      ports(bytes, at: start, into: &observation)
      return true
    case .icmp, .icmpv6:
      // RFC 792, RFC 4443 section 2.1: type, code.
      guard available >= 2 else { return false }
      observation.key.destinationPort = bytes.uint16(at: start)
      return true
    case .igmp:
      // RFC 3376 section 4: type.
      guard available >= 1 else { return false }
      observation.key.destinationPort = UInt16(bytes.octet(at: start))
      return true
    case .ah:
      // RFC 4302 section 2: the Security Parameters Index follows next header, length and two reserved octets.
      guard available >= 8 else { return false }
      ports(bytes, at: start + 4, into: &observation)
      return true
    case .esp:
      // RFC 4303 section 2: the Security Parameters Index comes first.
      guard available >= 4 else { return false }
      ports(bytes, at: start, into: &observation)
      return true
    default:
      return true
    }
  }

  @inline(__always)
  private static func ports(_ bytes: RawSpan, at offset: Int, into observation: inout PacketObservation) {
    observation.key.sourcePort = bytes.uint16(at: offset)
    observation.key.destinationPort = bytes.uint16(at: offset + 2)
  }

  /// IE 209 tcpOptions, kind k as bit k, the least significant first (RFC 9740 section 3), for kinds below 32.
  private static func tcpOptions(_ bytes: RawSpan, from start: Int, to end: Int) -> UInt32 {
    // NOP, NOP, Timestamps fills the header of most segments.
    if end - start == 12, bytes.uint32(at: start) == 0x0101_080a { return 1 << 1 | 1 << 8 }
    var (seen, offset) = (UInt32(0), start)
    while offset < end {
      let kind = bytes.octet(at: offset)
      if kind < 32 { seen |= 1 << UInt32(kind) }
      switch kind {
      case 0: return seen  // End of Option List
      case 1: offset += 1  // No-Operation
      default:
        guard offset + 1 < end, bytes.octet(at: offset + 1) >= 2 else { return seen }
        offset += Int(bytes.octet(at: offset + 1))
      }
    }
    return seen
  }
}
