// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: shows the octets as a raw span, as far as they were written.

internal import FlowMeter

/// One Ethernet frame as a capture holds it: its first ``snapLength`` octets, and how long it was.
struct Frame {
  typealias Octets = InlineArray<96, UInt8>

  static let snapLength = Octets.count
  private static let linkHeader = 14

  private(set) var octets = Octets(repeating: 0)
  private(set) var capturedLength = 0
  private(set) var wireLength = 0

  /// What a meter has to count.
  var ipOctets: Int { wireLength - Self.linkHeader }

  /// Writes the packet's headers.
  ///
  /// - Parameters:
  ///   - length: of the frame; becomes longer where the headers need more.
  ///   - controlBits: of TCP.
  ///   - serial: the packet's number, for the fields that differ from packet to packet.
  mutating func write(
    _ conversation: Conversation, isReversed: Bool = false, length: Int, controlBits: UInt8 = 0x10, serial: Int
  ) {
    let ipHeader = conversation.isIPv6 ? 40 : 20
    let transportHeader = conversation.protocolNumber == 6 ? 20 : 8
    wireLength = max(length, Self.linkHeader + ipHeader + transportHeader)
    capturedLength = min(wireLength, Self.snapLength)
    octets = Octets(repeating: 0)
    (octets[0], octets[5], octets[6], octets[11]) = (2, 1, 2, 2)
    let addresses =
      isReversed
      ? (conversation.destination, conversation.source) : (conversation.source, conversation.destination)
    if conversation.isIPv6 {
      put(16, 0x86dd, at: 12)
      put(32, 0x6000_0000 | UInt32(conversation.classOfService) << 20, at: 14)
      put(16, UInt32(ipOctets - 40), at: 18)
      (octets[20], octets[21]) = (conversation.protocolNumber, 64)
      (octets[22], octets[23]) = (0xfd, isReversed ? 2 : 1)
      put(32, addresses.0, at: 34)
      (octets[38], octets[39]) = (0xfd, isReversed ? 1 : 2)
      put(32, addresses.1, at: 50)
    } else {
      put(16, 0x0800, at: 12)
      (octets[14], octets[15]) = (0x45, conversation.classOfService)
      put(16, UInt32(ipOctets), at: 16)
      put(16, UInt32(truncatingIfNeeded: serial), at: 18)
      (octets[20], octets[22], octets[23]) = (0x40, 64, conversation.protocolNumber)
      put(32, addresses.0, at: 26)
      put(32, addresses.1, at: 30)
      put(16, headerChecksum(), at: 24)
    }
    writeTransport(
      conversation, isReversed, at: Self.linkHeader + ipHeader, controlBits: controlBits, serial: serial)
  }

  private mutating func writeTransport(
    _ conversation: Conversation, _ isReversed: Bool, at start: Int, controlBits: UInt8, serial: Int
  ) {
    let (source, destination) = (UInt32(conversation.sourcePort), UInt32(conversation.destinationPort))
    switch conversation.protocolNumber {
    case 6, 17:
      put(16, isReversed ? destination : source, at: start)
      put(16, isReversed ? source : destination, at: start + 2)
      if conversation.protocolNumber == 17 {
        put(16, UInt32(wireLength - start), at: start + 4)
      } else {
        put(32, UInt32(truncatingIfNeeded: serial), at: start + 4)
        (octets[start + 12], octets[start + 13]) = (0x50, controlBits)
        put(16, 0xffff, at: start + 14)
      }
    default:
      // Echo request and reply.
      octets[start] = conversation.isIPv6 ? (isReversed ? 129 : 128) : (isReversed ? 0 : 8)
      put(16, source, at: start + 4)
      put(16, UInt32(truncatingIfNeeded: serial), at: start + 6)
    }
  }

  private mutating func put(_ bits: Int, _ value: UInt32, at start: Int) {
    for place in 0..<bits / 8 {
      octets[start + place] = UInt8(truncatingIfNeeded: value >> UInt32(bits - 8 - 8 * place))
    }
  }

  /// RFC 1071.
  private func headerChecksum() -> UInt32 {
    var sum: UInt32 = 0
    for place in stride(from: 14, to: 34, by: 2) { sum += UInt32(octets[place]) << 8 | UInt32(octets[place + 1]) }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~sum
  }

  /// Gives the frame to the decoder of a batch.
  func append(to batch: inout PacketBatch, at time: Timestamp) {
    unsafe batch.append(
      octets.span.bytes.extracting(first: capturedLength),
      CaptureMetadata(time: time, wireLength: wireLength, linkType: .ethernet))
  }
}
