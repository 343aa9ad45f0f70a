// SPDX-License-Identifier: Apache-2.0

import FlowMeter

extension FlowTable {
  /// A table of so many Flows of one datagram of 28 octets each, told apart by their source ports.
  static func withUDPFlows(_ count: Int, at now: Timestamp) throws -> FlowTable {
    let table = try FlowTable()
    var batch = PacketBatch()
    for number in 0..<count {
      if batch.isFull {
        table.update(batch)
        batch.reset(at: Timestamp(milliseconds: .min))
      }
      // RFC 791 and RFC 768.
      let packet: [UInt8] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, UInt8(number >> 8),
        UInt8(number & 0xff), 0, 53, 0, 8, 0, 0,
      ]
      unsafe batch.append(packet.span.bytes, CaptureMetadata(time: now, wireLength: 28, linkType: .raw))
    }
    table.update(batch)
    return table
  }
}
