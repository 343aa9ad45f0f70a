// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// The kinds of traffic that meters are measured with.
enum TrafficKind: String, CaseIterable {
  /// Many conversations of very unequal size that come and go, as on a busy link.
  case mix
  /// Packets spread evenly over more flows than any cache holds: the worst that is not an attack.
  case million
  /// Every packet begins a flow: TCP SYNs from everywhere.
  case flood
  /// A few large conversations: what is left is the cost of a packet itself.
  case elephants

  /// How many flows there are at a time, for so many packets.
  func flowCount(packets: Int) -> Int {
    switch self {
    case .mix: max(100, packets / 50)
    case .million: max(100, packets / 10)
    case .flood: 1
    case .elephants: min(1000, max(10, packets / 100))
    }
  }

  var isBidirectional: Bool { self == .mix || self == .elephants }

  /// How long the capture lasts, seconds.
  var duration: Double { self == .mix ? 300 : 60 }
}

/// What packets are generated for.
enum TrafficUse {
  /// A capture file, which holds the beginnings of long frames.
  case capture
  /// A wire: what is sent is what the headers say. IPv4 alone, since some meters know no other.
  case wire
}

/// Packets one after the other, the same in every run; and what a meter should make of them.
protocol TrafficSource {
  /// The packet that ``next()`` wrote, and when it came, since 1970.
  var frame: Frame { get }
  var microseconds: Int64 { get }
  /// The truth that exporters are held against.
  var totals: FlowTotals { get }

  /// The next packet; false when all have come.
  mutating func next() -> Bool
}

/// Packets of one kind of traffic.
struct TrafficGenerator: TrafficSource {
  /// One end of what goes on at a time: conversations follow one another in it.
  private struct Place {
    var conversation: Int
    /// Packets until the conversation ends and another takes its place.
    var remaining: Int
    var hasSYN = false
    var hasSYNACK = false
  }

  static let firstSecond: Int64 = 1_700_000_000

  let kind: TrafficKind
  let packets: Int
  private(set) var frame = Frame()
  private(set) var microseconds: Int64 = 0
  private(set) var totals = FlowTotals()

  private let use: TrafficUse

  private var random = SplitMix(seed: 42)
  private var places: [Place] = []
  private var popularity: ZipfDistribution?
  private var conversations = 0

  init(_ kind: TrafficKind, packets: Int, for use: TrafficUse = .capture) {
    (self.kind, self.packets, self.use) = (kind, packets, use)
    let flows = kind.flowCount(packets: packets)
    let count = kind.isBidirectional ? max(1, flows / 2) : flows
    if kind == .mix { popularity = ZipfDistribution(count: count) }
    for place in 0..<count { places.append(newConversation(at: place)) }
  }

  mutating func next() -> Bool {
    guard totals.packets < packets else { return false }
    let serial = Int(totals.packets)
    microseconds =
      Self.firstSecond * 1_000_000 + Int64((Double(serial) + 0.5) * kind.duration * 1e6 / Double(packets))
    if kind == .flood {
      frame.write(Conversation(number: serial, .flood), length: 60, controlBits: 0x02, serial: serial)
    } else {
      let place = popularity?.pick(&random) ?? random.below(places.count)
      writePacket(at: place, serial: serial)
    }
    totals.packets += 1
    totals.octets += UInt64(frame.ipOctets)
    return true
  }

  private mutating func writePacket(at place: Int, serial: Int) {
    let conversation = Conversation(number: places[place].conversation, use == .wire ? .mixedIPv4 : .mixed)
    var isReversed = kind.isBidirectional && random.below(2) == 1
    // IMIX: seven short, four middle, one long.
    let share = random.below(12)
    var length = share < 7 ? 60 : share < 11 ? 590 : 1514
    var controlBits: UInt8 = random.below(4) == 0 ? 0x18 : 0x10
    if conversation.protocolNumber == 6 {
      if !places[place].hasSYN {
        (controlBits, isReversed, length, places[place].hasSYN) = (0x02, false, 60, true)
      } else if !places[place].hasSYNACK, kind.isBidirectional {
        (controlBits, isReversed, length, places[place].hasSYNACK) = (0x12, true, 60, true)
      } else if places[place].remaining == 1 {
        controlBits = 0x11
      }
    }
    if use == .wire { length = min(length, Frame.snapLength) }
    frame.write(conversation, isReversed: isReversed, length: length, controlBits: controlBits, serial: serial)
    places[place].remaining -= 1
    if places[place].remaining == 0 { places[place] = newConversation(at: place) }
  }

  /// In the mix, a place sees about four conversations, each of random length; elsewhere one.
  private mutating func newConversation(at place: Int) -> Place {
    defer { conversations += 1 }
    guard let popularity else { return Place(conversation: conversations, remaining: .max) }
    let mean = max(4, Double(packets) / popularity.harmonic / Double(place + 1) / 4)
    return Place(conversation: conversations, remaining: max(2, Int(-log(1 - random.unit()) * mean)))
  }
}
