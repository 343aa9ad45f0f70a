// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads wherever the headers lead, as long as that is before the captured end. It is what the checked decoder
// is held against, and is given nothing but the benchmark's own packets.

internal import FlowMeter

/// The header walk of ``PacketDecoder`` by pointers: Ethernet with VLAN tags, IPv4 and IPv6 without extension headers,
/// TCP, UDP and ICMP. One length check a header, none a load.
@safe struct PointerDecoder: ~Copyable {
  private let observations = UnsafeMutablePointer<PacketObservation>.allocate(capacity: PacketBatch.capacity)
  // Values of another module, at hand without a call.
  private let fresh = PacketObservation()
  private(set) var count = 0
  private(set) var packets: UInt64 = 0
  private(set) var octets: UInt64 = 0
  private(set) var latest = Timestamp(milliseconds: .min)

  deinit { unsafe observations.deallocate() }

  var isFull: Bool { count == PacketBatch.capacity }

  var last: PacketObservation {
    precondition(count > 0)
    return unsafe observations[count - 1]
  }

  mutating func removeAll() { count = 0 }

  /// Decodes a packet behind the ones before. Not inlined, as the decoder of another module is not.
  @inline(never)
  @unsafe mutating func append(_ bytes: UnsafeRawPointer, _ length: Int, wireLength: Int, at time: Timestamp) {
    let place = unsafe observations + count
    unsafe place.initialize(to: fresh)
    unsafe place.pointee.time = time
    latest = max(latest, time)
    guard unsafe Self.decodeLink(bytes, length, wireLength, &place.pointee) else { return }
    count &+= 1
    packets &+= 1
    unsafe octets &+= UInt64(place.pointee.octets)
  }

  @inline(__always)
  private static func word(_ bytes: UnsafeRawPointer) -> UInt16 {
    unsafe UInt16(bigEndian: bytes.loadUnaligned(as: UInt16.self))
  }

  @inline(__always)
  private static func decodeLink(
    _ bytes: UnsafeRawPointer, _ length: Int, _ wireLength: Int, _ observation: inout PacketObservation
  ) -> Bool {
    guard length >= 14 else { return false }
    var (type, offset) = unsafe (word(bytes + 12), 14)
    if type == 0x8100 || type == 0x88a8 {
      guard length >= 18 else { return false }
      unsafe observation.key.outerTag = word(bytes + 14)
      (type, offset) = unsafe (word(bytes + 16), 18)
    }
    switch type {
    case 0x0800: return unsafe decodeIPv4(bytes + offset, length - offset, wireLength - offset, &observation)
    case 0x86dd: return unsafe decodeIPv6(bytes + offset, length - offset, wireLength - offset, &observation)
    default: return false
    }
  }

  @inline(__always)
  private static func decodeIPv4(
    _ header: UnsafeRawPointer, _ length: Int, _ wireLength: Int, _ observation: inout PacketObservation
  ) -> Bool {
    guard length >= 20 else { return false }
    let first = unsafe header.load(as: UInt8.self)
    let headerLength = Int(first & 15) * 4
    let totalLength = unsafe Int(word(header + 2))
    guard first >> 4 == 4, headerLength >= 20, totalLength >= headerLength, totalLength <= wireLength else {
      return false
    }
    observation.key.version.rawValue = 4
    unsafe observation.key.classOfService = (header + 1).load(as: UInt8.self)
    unsafe observation.key.protocol.rawValue = (header + 9).load(as: UInt8.self)
    unsafe observation.key.source = IPAddress(IPv4Octets(storage: (header + 12).loadUnaligned(as: UInt32.self)))
    unsafe observation.key.destination = IPAddress(IPv4Octets(storage: (header + 16).loadUnaligned(as: UInt32.self)))
    observation.octets = UInt32(truncatingIfNeeded: totalLength)
    guard unsafe word(header + 6) & 0x3fff == 0 else { return false }
    return unsafe decodeTransport(header + headerLength, min(length, totalLength) - headerLength, &observation)
  }

  @inline(__always)
  private static func decodeIPv6(
    _ header: UnsafeRawPointer, _ length: Int, _ wireLength: Int, _ observation: inout PacketObservation
  ) -> Bool {
    guard length >= 40 else { return false }
    let flow = unsafe UInt32(bigEndian: header.loadUnaligned(as: UInt32.self))
    let totalLength = unsafe Int(word(header + 4)) + 40
    guard flow >> 28 == 6, totalLength <= wireLength else { return false }
    observation.key.version.rawValue = 6
    observation.key.classOfService = UInt8(truncatingIfNeeded: flow >> 20)
    observation.flowLabel = flow & 0xf_ffff
    unsafe observation.key.protocol.rawValue = (header + 6).load(as: UInt8.self)
    unsafe observation.key.source = (header + 8).loadUnaligned(as: IPAddress.self)
    unsafe observation.key.destination = (header + 24).loadUnaligned(as: IPAddress.self)
    observation.octets = UInt32(truncatingIfNeeded: totalLength)
    return unsafe decodeTransport(header + 40, min(length, totalLength) - 40, &observation)
  }

  @inline(__always)
  private static func decodeTransport(
    _ header: UnsafeRawPointer, _ length: Int, _ observation: inout PacketObservation
  ) -> Bool {
    switch observation.key.protocol.rawValue {
    case 6:
      guard length >= 20 else { return false }
      unsafe observation.key.sourcePort = word(header)
      unsafe observation.key.destinationPort = word(header + 2)
      unsafe observation.tcpControlBits = (header + 13).load(as: UInt8.self)
      // The generated segments have no options.
      return unsafe (header + 12).load(as: UInt8.self) >> 4 == 5
    case 17:
      guard length >= 8 else { return false }
      unsafe observation.key.sourcePort = word(header)
      unsafe observation.key.destinationPort = word(header + 2)
      return true
    case 1, 58:
      guard length >= 4 else { return false }
      unsafe observation.key.destinationPort = word(header)
      return true
    default: return false
    }
  }
}
