// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.

/// The IPv4 header (RFC 791 section 3.1).
///
///      0                   1                   2                   3
///     |Version|  IHL  |Type of Service|          Total Length         |
///     |         Identification        |Flags|      Fragment Offset    |
///     |  Time to Live |    Protocol   |         Header Checksum       |
///     |                       Source Address                          |
///     |                    Destination Address                        |
///     |                    Options                    |    Padding    |
enum IPv4Header {
  static let fixedLength = 20

  private enum Offset {
    static let headerLength = 0
    static let typeOfService = 1
    static let totalLength = 2
    static let identification = 4
    static let fragment = 6
    static let `protocol` = 9
    static let source = 12
    static let destination = 16
    static let options = 20
  }

  /// Reads the header at `start` into `observation`, and returns where the transport header begins and where the
  /// datagram ends.
  @inline(__always)
  static func parse(
    _ bytes: RawSpan, at start: Int, wireLength: Int, into observation: inout PacketObservation
  ) throws(DecodeFailure) -> (payload: Int, end: Int) {
    guard bytes.byteCount >= start + fixedLength else { throw .ipv4HeaderTruncated }
    let first = bytes.octet(at: start + Offset.headerLength)
    guard first >> 4 == 4 else { throw .ipVersion }
    let headerLength = Int(first & 0x0f) * 4
    guard headerLength >= fixedLength else { throw .ipv4HeaderLength }

    var totalLength = Int(bytes.uint16(at: start + Offset.totalLength))
    if totalLength < headerLength {
      // The kernel hands over packets merged or not yet cut (GRO, TSO) of more than 65535 octets with a length of 0:
      // there the frame's length is the packet's.
      guard totalLength == 0, wireLength - start > Int(UInt16.max) else { throw .ipv4TotalLength }
      totalLength = wireLength - start
    }

    observation.key.version = .v4
    observation.key.source = IPAddress(bytes.ipv4Octets(at: start + Offset.source))
    observation.key.destination = IPAddress(bytes.ipv4Octets(at: start + Offset.destination))
    observation.key.classOfService = bytes.octet(at: start + Offset.typeOfService)
    observation.key.protocol = IPProtocol(rawValue: bytes.octet(at: start + Offset.protocol))
    observation.octets = UInt32(truncatingIfNeeded: totalLength)

    let fragment = bytes.uint16(at: start + Offset.fragment)
    if fragment & 0x3fff != 0 {  // more fragments, or an offset
      observation.fragment = fragment & 0x1fff == 0 ? .first : .later
      observation.fragmentIdentification = UInt32(bytes.uint16(at: start + Offset.identification))
    }
    if headerLength > fixedLength {
      observation.ipOptions = options(bytes, from: start + Offset.options, to: start + headerLength)
    }
    return (start + headerLength, start + totalLength)
  }

  /// IE 208 ipv4Options, least significant bit first as RFC 9740 lays out such fields: option number n (the low five
  /// bits of the type octet) sets bit n.
  private static func options(_ bytes: RawSpan, from start: Int, to end: Int) -> UInt32 {
    var (seen, offset, end) = (UInt32(0), start, min(end, bytes.byteCount))
    while offset < end {
      let type = bytes.octet(at: offset)
      seen |= 1 << UInt32(type & 0x1f)
      switch type {
      case 0: end = offset  // End of Options List
      case 1: offset += 1  // No Operation
      default:
        guard offset + 1 < end, bytes.octet(at: offset + 1) >= 2 else { return seen }
        offset += Int(bytes.octet(at: offset + 1))
      }
    }
    return seen
  }
}
