// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The headers of a packet that a Flow Record or a NAT event may tell of: what a ``FlowFilter`` is shown.
///
/// IP version, addresses, protocol, TOS or Traffic Class, flow label; ports, the TCP control bits of all packets; type and
/// code of ICMP, type of IGMP, SPI of AH and ESP. The length is that of the Flow's packets on average. All else is 0, there
/// are no options and extension headers, and no payload. Of a NAT event it is the packet that began the connection, as it
/// arrived, with headers alone; its ICMP has the identifier and no type.
struct SyntheticPacket: ~Copyable {
  /// IPv6 and TCP headers.
  private var headers = MessageBuffer(capacity: 60)
  private var length = 0

  func isMatched(by filter: FlowFilter) -> Bool { filter.matches(headers, length: length) }

  mutating func describe(_ record: borrowing FlowRecord) {
    let key = record.key
    let average = record.packets > 0 ? Int(clamping: record.octets / record.packets) : 0
    beginIP(
      key.version, key.source, key.destination, key.protocol, classOfService: key.classOfService,
      flowLabel: record.flowLabel, length: average)
    switch key.protocol {
    case .tcp:
      appendTCP(key.sourcePort, key.destinationPort, controlBits: record.tcpControlBits)
    case _ where key.protocol.hasPorts:
      headers.append(key.sourcePort)
      headers.append(key.destinationPort)
      // Of UDP and UDP-Lite: its length.
      headers.append(UInt16(truncatingIfNeeded: max(0, length - headers.count + 4)))
      headers.append(zeros: 2)
    case .icmp, .icmpv6:
      headers.append(key.destinationPort)
      headers.append(zeros: 6)
    case .igmp:
      headers.append(UInt8(truncatingIfNeeded: key.destinationPort))
      headers.append(zeros: 7)
    case .esp:
      headers.append(record.securityParameterIndex)
      headers.append(zeros: 4)
    case .ah:
      headers.append(zeros: 4)
      headers.append(record.securityParameterIndex)
      headers.append(zeros: 4)
    default: break
    }
  }

  mutating func describe(_ event: NATEvent) {
    let (connection, tuple) = (event.connection, event.connection.original)
    let transportLength = connection.protocol == .tcp ? 20 : 8
    beginIP(
      connection.version, tuple.source, tuple.destination, connection.protocol,
      length: (connection.version == .v4 ? 20 : 40) + transportLength)
    switch connection.protocol {
    case .tcp: appendTCP(tuple.sourcePort, tuple.destinationPort)
    case _ where connection.protocol.hasPorts:
      headers.append(tuple.sourcePort)
      headers.append(tuple.destinationPort)
      headers.append(UInt16(transportLength))
      headers.append(zeros: 2)
    case .icmp, .icmpv6:
      headers.append(zeros: 4)
      headers.append(tuple.sourcePort)
      headers.append(zeros: 2)
    default: headers.append(zeros: transportLength)
    }
  }

  /// RFC 791 section 3.1; RFC 8200 section 3.
  private mutating func beginIP(
    _ version: IPVersion, _ source: IPAddress, _ destination: IPAddress, _ number: IPProtocol,
    classOfService: UInt8 = 0, flowLabel: UInt32 = 0, length: Int
  ) {
    headers.removeAll()
    if version == .v4 {
      self.length = min(length, Int(UInt16.max))
      headers.append(UInt8(0x45))
      headers.append(classOfService)
      headers.append(UInt16(self.length))
      // Identification, fragment, time to live.
      headers.append(zeros: 5)
      headers.append(number)
      // Checksum.
      headers.append(zeros: 2)
      headers.append(source.ipv4)
      headers.append(destination.ipv4)
    } else {
      self.length = min(length, Int(UInt16.max) + 40)
      headers.append(UInt32(6) << 28 | UInt32(classOfService) << 20 | flowLabel & 0xf_ffff)
      headers.append(UInt16(max(0, self.length - 40)))
      headers.append(number)
      // Hop limit.
      headers.append(zeros: 1)
      headers.append(source)
      headers.append(destination)
    }
  }

  /// RFC 9293 section 3.1.
  private mutating func appendTCP(_ source: UInt16, _ destination: UInt16, controlBits: UInt8 = 0) {
    headers.append(source)
    headers.append(destination)
    // Sequence and acknowledgment.
    headers.append(zeros: 8)
    // A header of five words.
    headers.append(UInt8(0x50))
    headers.append(controlBits)
    // Window, checksum, urgent pointer.
    headers.append(zeros: 6)
  }
}
