// SPDX-License-Identifier: Apache-2.0

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
}
