// SPDX-License-Identifier: Apache-2.0

import FlowMeter

/// Packets written out octet by octet: the layouts are those of the RFCs named beside them.
enum Packets {
  /// `45 00 …` as octets; anything but hexadecimal digits is passed over.
  static func octets(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    precondition(digits.count % 2 == 0)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
  }

  /// RFC 791 and RFC 9293: 192.0.2.1:1234 to 198.51.100.2:80, SYN, total length 40.
  static let tcp = octets(
    """
    45 00 00 28 00 01 40 00 40 06 00 00 c0 00 02 01 c6 33 64 02
    04 d2 00 50 00 00 00 01 00 00 00 00 50 02 ff ff 00 00 00 00
    """)

  /// RFC 791 and RFC 768: 192.0.2.1:5353 to 198.51.100.2:53, TOS b8, total length 28.
  static let udp = octets(
    """
    45 b8 00 1c 00 02 00 00 40 11 00 00 c0 00 02 01 c6 33 64 02
    14 e9 00 35 00 08 00 00
    """)

  /// The same from another port.
  static func udp(port: Int) -> [UInt8] {
    var packet = udp
    (packet[20], packet[21]) = (UInt8(port >> 8 & 0xff), UInt8(port & 0xff))
    return packet
  }

  /// RFC 8200: 2001:db8::1 port 1000 to 2001:db8::2 port 2000, UDP, flow label 0xabcde, Traffic Class 0x2e << 2.
  static let udpIPv6 = octets(
    """
    6b 8a bc de 00 08 11 40
    20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
    20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02
    03 e8 07 d0 00 08 00 00
    """)

  /// An IPv4 header of 20 octets before `payload`, fragment field as it stands in the header.
  static func ipv4(
    protocol number: UInt8, identification: UInt16 = 7, fragment: UInt16 = 0, source: UInt8 = 1, _ payload: [UInt8]
  ) -> [UInt8] {
    let length = UInt16(20 + payload.count)
    return [
      0x45, 0, UInt8(length >> 8), UInt8(length & 0xff), UInt8(identification >> 8), UInt8(identification & 0xff),
      UInt8(fragment >> 8), UInt8(fragment & 0xff), 64, number, 0, 0, 192, 0, 2, source, 198, 51, 100, 2,
    ] + payload
  }

  /// An IPv6 header of 40 octets before `payload`.
  static func ipv6(nextHeader: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let addresses = Array(udpIPv6[8..<40])
    return [0x60, 0, 0, 0, UInt8(payload.count >> 8), UInt8(payload.count & 0xff), nextHeader, 64] + addresses + payload
  }

  static let ethernet = octets("02 00 00 00 00 02 02 00 00 00 00 01")
}

/// One packet's observation, or why there is none.
func decode(
  _ bytes: [UInt8], _ linkType: LinkType = .raw, wireLength: Int? = nil
) -> (observation: PacketObservation, remark: DecodeRemark?, failure: DecodeFailure?) {
  var observation = PacketObservation()
  let metadata = CaptureMetadata(
    time: Timestamp(milliseconds: 1000), wireLength: wireLength ?? bytes.count, linkType: linkType)
  do throws(DecodeFailure) {
    let remark = unsafe try PacketDecoder().decode(bytes.span.bytes, metadata, into: &observation)
    return (observation, remark, nil)
  } catch {
    return (observation, nil, error)
  }
}

extension PacketBatch {
  /// Adds a packet at a time, without a link header where none is named.
  mutating func append(
    _ bytes: [UInt8], _ linkType: LinkType = .raw, at milliseconds: Int64, direction: FlowDirection? = nil,
    detail: PacketDetail? = nil
  ) {
    let metadata = CaptureMetadata(
      time: Timestamp(milliseconds: milliseconds), wireLength: bytes.count, linkType: linkType, direction: direction)
    if let detail {
      unsafe append(bytes.span.bytes, metadata, detail: detail)
    } else {
      unsafe append(bytes.span.bytes, metadata)
    }
  }
}

extension MACAddress {
  /// The address of these octets.
  init(_ hex: String) { unsafe self.init(Packets.octets(hex).span.bytes, at: 0) }
}

extension PacketDetail {
  /// A detail in which every value follows from the number.
  static func numbered(_ number: UInt32) -> PacketDetail {
    var detail = PacketDetail()
    detail.ingressPhysicalInterface = number
    detail.egressPhysicalInterface = number &+ 1
    unsafe detail.sourceMACAddress = MACAddress(
      [2, 0, 0, 0, UInt8(number >> 8 & 0xff), UInt8(number & 0xff)].span.bytes, at: 0)
    detail.destinationMACAddress = MACAddress("02 00 00 00 ff ff")
    detail.mark = number &* 3
    detail.userID = number &* 5
    return detail
  }
}
