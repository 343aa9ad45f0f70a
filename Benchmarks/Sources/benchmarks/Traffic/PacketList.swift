// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: makes spans of the octets, by the offsets and lengths with which they were put there.

internal import FlowMeter

/// Packets in memory, one behind the other, as a capture file lies in its buffer.
struct PacketList {
  struct Packet {
    var offset: Int
    var capturedLength: Int
    var wireLength: Int
    var time: Timestamp
  }

  private(set) var octets: [UInt8] = []
  private(set) var packets: [Packet] = []

  init(_ kind: TrafficKind, packets count: Int) {
    var generator = TrafficGenerator(kind, packets: count)
    while generator.next() {
      let length = generator.frame.capturedLength
      packets.append(
        Packet(
          offset: octets.count, capturedLength: length, wireLength: generator.frame.wireLength,
          time: Timestamp(milliseconds: generator.microseconds / 1000)))
      for place in 0..<length { octets.append(generator.frame.octets[place]) }
    }
  }
  /// Gives a packet to the decoder of a batch.
  @inline(__always)
  func append(_ packet: Packet, at time: Timestamp, to batch: inout PacketBatch) {
    unsafe octets.withUnsafeBytes { octets in
      unsafe batch.append(
        RawSpan(_unsafeStart: octets.baseAddress! + packet.offset, byteCount: packet.capturedLength),
        CaptureMetadata(time: time, wireLength: packet.wireLength, linkType: .ethernet))
    }
  }

  /// Packets by their numbers, again from the first when all have been.
  func append(_ numbers: Range<Int>, at time: Timestamp, to batch: inout PacketBatch) {
    for number in numbers { append(packets[number % packets.count], at: time, to: &batch) }
  }
}
