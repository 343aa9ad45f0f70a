// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// A flood that begins and ends while a few long-lived conversations go on, a packet of each now and then.
struct AttackGenerator: TrafficSource {
  /// The packets' own seconds.
  static let floodBegin: Int64 = 10
  static let floodEnd: Int64 = 70
  static let end: Int64 = 130
  /// How long a long-lived conversation is silent.
  static let silence: Int64 = 5

  /// Since 1970.
  static var floodEndMilliseconds: UInt64 { UInt64(TrafficGenerator.firstSecond + floodEnd) * 1000 }

  private(set) var frame = Frame()
  private(set) var microseconds: Int64 = 0
  private(set) var totals = FlowTotals()
  /// What the long-lived conversations sent, each.
  private(set) var longLived = [FlowTotals](repeating: FlowTotals(), count: Conversation.longLivedCount)

  private let packets: Int
  private var flooded = 0
  private var asked = 0

  /// So many packets of the flood; those of the others come in addition.
  init(packets: Int) { self.packets = packets }

  mutating func next() -> Bool {
    let begin = TrafficGenerator.firstSecond * 1_000_000
    let nextFlood =
      flooded < packets
      ? Self.floodBegin * 1_000_000 + (Self.floodEnd - Self.floodBegin) * 1_000_000 * Int64(flooded) / Int64(packets)
      : .max
    let nextAsked = Self.silence * 1_000_000 * Int64(asked) / Int64(Conversation.longLivedCount)
    if nextFlood <= nextAsked {
      microseconds = begin + nextFlood
      frame.write(Conversation(number: flooded, .flood), length: 60, controlBits: 0x02, serial: flooded)
      flooded += 1
    } else {
      guard nextAsked < Self.end * 1_000_000 else { return false }
      microseconds = begin + nextAsked
      let number = asked % Conversation.longLivedCount
      frame.write(.longLived(number), length: 60, serial: asked)
      longLived[number].packets += 1
      longLived[number].octets += UInt64(frame.ipOctets)
      asked += 1
    }
    totals.packets += 1
    totals.octets += UInt64(frame.ipOctets)
    return true
  }
}
