// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.

/// The IPv6 header (RFC 8200 section 3) and its chain of extension headers (section 4).
///
///     |Version| Traffic Class |           Flow Label                  |
///     |         Payload Length        |  Next Header  |   Hop Limit   |
///     |                   Source Address (16)                         |
///     |                 Destination Address (16)                      |
enum IPv6Header {
  static let fixedLength = 40

  /// More extension headers than this are a hostile packet, not a real one.
  static let longestChain = 16

  private enum Offset {
    static let flow = 0
    static let payloadLength = 4
    static let nextHeader = 6
    static let source = 8
    static let destination = 24
  }

  /// IE 64 ipv6ExtensionHeaders, the bits in the order of the registry's figure, most significant first: DST HOP Res
  /// UNK FRA0 RH FRA1 Res Res Res Res Res MOB ESP AH PAY, then 16 reserved.
  private enum ExtensionBit {
    static let destinationOptions: UInt32 = 1 << 31
    static let hopByHop: UInt32 = 1 << 30
    static let unknown: UInt32 = 1 << 28
    static let firstFragment: UInt32 = 1 << 27
    static let routing: UInt32 = 1 << 26
    static let laterFragment: UInt32 = 1 << 25
    static let mobility: UInt32 = 1 << 19
    static let esp: UInt32 = 1 << 18
    static let ah: UInt32 = 1 << 17
  }

  /// Reads the header at `start` into `observation`, and returns where the transport header begins and where the
  /// datagram ends; the payload is nil where the chain breaks off.
  @inline(__always)
  static func parse(
    _ bytes: RawSpan, at start: Int, wireLength: Int, into observation: inout PacketObservation
  ) throws(DecodeFailure) -> (payload: Int?, end: Int) {
    guard bytes.byteCount >= start + fixedLength else { throw .ipv6HeaderTruncated }
    let flow = bytes.uint32(at: start + Offset.flow)
    guard flow >> 28 == 6 else { throw .ipVersion }

    observation.key.version = .v6
    observation.key.source = bytes.ipv6Address(at: start + Offset.source)
    observation.key.destination = bytes.ipv6Address(at: start + Offset.destination)
    observation.key.classOfService = UInt8(truncatingIfNeeded: flow >> 20)
    observation.flowLabel = flow & 0x000f_ffff
    observation.octets =
      UInt32(bytes.uint16(at: start + Offset.payloadLength)) + UInt32(fixedLength)

    let nextHeader = IPProtocol(rawValue: bytes.octet(at: start + Offset.nextHeader))
    observation.key.protocol = nextHeader
    if observation.octets == fixedLength, nextHeader != .hopByHop, wireLength - start - fixedLength > Int(UInt16.max) {
      // Merged by the kernel (GRO) without a jumbo payload option, as of IPv4: the frame's length is the packet's.
      observation.octets = UInt32(truncatingIfNeeded: wireLength - start)
    }
    var payload: Int? = start + fixedLength
    switch nextHeader {
    case .tcp, .udp, .icmpv6: break
    default: payload = extensionHeaders(bytes, behind: start, wireLength: wireLength, into: &observation)
    }
    return (payload, start + Int(observation.octets))
  }

  /// Walks the chain behind the header at `start`: leaves the protocol that ends it in the key and returns where that
  /// begins.
  private static func extensionHeaders(
    _ bytes: RawSpan, behind start: Int, wireLength: Int, into observation: inout PacketObservation
  ) -> Int? {
    var offset = start + fixedLength
    for _ in 0..<longestChain {
      let header = observation.key.protocol
      switch header {
      case .hopByHop, .destinationOptions, .routing, .mobility, .hip, .shim6, .ah, .fragment: break
      case .esp:
        observation.ipOptions |= ExtensionBit.esp
        return offset
      default: return offset
      }
      // Every extension header begins with the next one's number and has at least eight octets.
      guard bytes.byteCount >= offset + 8 else { return nil }
      if header == .hopByHop {
        jumboPayload(bytes, at: offset, most: wireLength - start - fixedLength, into: &observation)
      }
      // What lies behind the datagram is padding, not a header.
      guard offset + 8 <= start + Int(observation.octets) else { return nil }
      let next = IPProtocol(rawValue: bytes.octet(at: offset))
      var length = (Int(bytes.octet(at: offset + 1)) + 1) * 8
      switch header {
      case .hopByHop: observation.ipOptions |= ExtensionBit.hopByHop
      case .destinationOptions: observation.ipOptions |= ExtensionBit.destinationOptions
      case .routing: observation.ipOptions |= ExtensionBit.routing
      case .mobility: observation.ipOptions |= ExtensionBit.mobility
      case .ah:
        observation.ipOptions |= ExtensionBit.ah
        length = (Int(bytes.octet(at: offset + 1)) + 2) * 4  // RFC 4302 section 2.2
      case .fragment:
        length = 8
        if !fragment(bytes, at: offset, into: &observation) {
          observation.key.protocol = next
          return offset + length
        }
      default: observation.ipOptions |= ExtensionBit.unknown
      }
      observation.key.protocol = next
      offset += length
    }
    return nil
  }

  /// The Fragment header (RFC 8200 section 4.5): next header, reserved, offset and M flag (2), identification (4).
  /// False where what follows is not the beginning of the datagram's payload.
  private static func fragment(
    _ bytes: RawSpan, at offset: Int, into observation: inout PacketObservation
  ) -> Bool {
    let field = bytes.uint16(at: offset + 2)
    if field & 0xfff9 == 0 { return true }  // an atomic fragment (RFC 6946): the whole datagram
    let isFirst = field & 0xfff8 == 0
    observation.fragment = isFirst ? .first : .later
    observation.fragmentIdentification = bytes.uint32(at: offset + 4)
    observation.ipOptions |= isFirst ? ExtensionBit.firstFragment : ExtensionBit.laterFragment
    return isFirst
  }

  /// A packet of more than 65535 octets has payload length 0 and the Jumbo Payload option (RFC 2675 section 2), also
  /// when the kernel merged it (BIG TCP). A length that the frame does not have is not believed: one small packet could
  /// claim four gigabytes.
  private static func jumboPayload(
    _ bytes: RawSpan, at offset: Int, most: Int, into observation: inout PacketObservation
  ) {
    guard observation.octets == UInt32(fixedLength), bytes.uint16(at: offset + 2) == 0xc204 else { return }
    let length = bytes.uint32(at: offset + 4)
    guard length > UInt32(UInt16.max), Int(length) <= most else { return }
    observation.octets = length + UInt32(fixedLength)
  }
}
