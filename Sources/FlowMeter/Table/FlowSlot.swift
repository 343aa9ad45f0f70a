// SPDX-License-Identifier: Apache-2.0

/// A Flow as the table holds it: one cache line.
///
/// The first three words are what a lookup compares. An IPv6 Flow has its addresses behind the slot
/// (``FlowSlotIPv6``), where an IPv4 Flow has none; the packet count has 32 bits and the times are 64 + 32, which is
/// why a Flow is reported early before either is full (``FlowExpiration``).
struct FlowSlot {
  /// IPv4: both addresses. IPv6: the flow label.
  var addresses: UInt64
  var transport: UInt64
  var link: UInt64
  var octets: UInt64
  var packets: UInt32
  /// Milliseconds from the first packet to the last.
  var duration: UInt32
  /// The first packet's time, milliseconds.
  var start: Int64
  var egressInterface: UInt32
  var tcpOptions: UInt32
  var ipOptions: UInt32
  var tcpControlBits: UInt8
  private var marks: UInt8
  /// Of the first packet: to what aggregation has cut the addresses.
  let sourcePrefixLength: UInt8
  let destinationPrefixLength: UInt8

  @inline(__always)
  init(_ observation: borrowing PacketObservation) {
    transport = observation.key.transportWord
    addresses = Self.isIPv6(transport) ? UInt64(observation.flowLabel) : observation.key.ipv4Word
    link = observation.key.linkWord
    octets = UInt64(observation.octets)
    (packets, duration) = (1, 0)
    start = observation.time.milliseconds
    egressInterface = observation.egressInterface
    tcpOptions = observation.tcpOptions
    ipOptions = observation.ipOptions
    tcpControlBits = observation.tcpControlBits
    marks = observation.hasDetail ? Mark.detail : 0
    if let direction = observation.direction { marks |= (direction.rawValue + 1) << Mark.directionShift }
    sourcePrefixLength = observation.sourcePrefixLength
    destinationPrefixLength = observation.destinationPrefixLength
  }

  private enum Mark {
    static let detail: UInt8 = 1 << 0
    static let leftOut: UInt8 = 1 << 1
    /// Two bits: 0 is not known, 1 ingress, 2 egress.
    static let directionShift: UInt8 = 2
    /// Three bits.
    static let reasonShift: UInt8 = 4
  }

  /// Why the Flow has ended; zero while it is active.
  var endReason: UInt8 {
    get { marks >> Mark.reasonShift & 7 }
    set { marks = marks & ~(7 << Mark.reasonShift) | newValue << Mark.reasonShift }
  }

  /// Of the first packet.
  var direction: FlowDirection? {
    let number = marks >> Mark.directionShift & 3
    return number == 0 ? nil : FlowDirection(rawValue: number - 1)
  }

  /// Whether the first packet's detail stands beside the slot (``SlotPool/details``).
  @inline(__always)
  var hasDetail: Bool { marks & Mark.detail != 0 }

  /// Whether sampling leaves the Flow out of the export.
  @inline(__always)
  var isLeftOut: Bool { marks & Mark.leftOut != 0 }

  mutating func leaveOut() { marks |= Mark.leftOut }

  /// What the Flow counts.
  var totals: FlowTotals { FlowTotals(flows: 1, packets: UInt64(packets), octets: octets) }

  /// Adds a packet that is no earlier than the Flow's first and within its timeouts.
  @inline(__always)
  mutating func add(_ observation: borrowing PacketObservation, atMillisecond distance: UInt32) {
    octets &+= UInt64(observation.octets)
    packets &+= 1
    duration = max(duration, distance)
    tcpOptions |= observation.tcpOptions
    ipOptions |= observation.ipOptions
    tcpControlBits |= observation.tcpControlBits
  }

  /// Adds a packet that is stamped earlier than the Flow's first: the Flow began with it.
  mutating func addEarlier(_ observation: borrowing PacketObservation) {
    let distance = UInt64(bitPattern: start &- observation.time.milliseconds)
    start = observation.time.milliseconds
    duration = UInt32(clamping: UInt64(duration) &+ distance)
    add(observation, atMillisecond: 0)
  }

  /// The last packet's time, milliseconds.
  @inline(__always)
  var end: Int64 { start &+ Int64(duration) }

  @inline(__always)
  var form: FlowKey.Form { FlowKey.Form(transportWord: transport) }

  /// Whether the Flow's labels stand beside the slot (``SlotPool/labels``).
  @inline(__always)
  var isLabelled: Bool { transport >> 56 != 0 }

  @inline(__always)
  var isIPv6: Bool { Self.isIPv6(transport) }

  @inline(__always)
  private static func isIPv6(_ transport: UInt64) -> Bool { transport >> 48 & 0xff == UInt64(IPVersion.v6.rawValue) }

  /// Writes the Flow as it is reported, without what stands beside the slot: of IPv6 the addresses, the detail and the labels.
  @inline(__always)
  func report(_ reason: FlowEndReason, to record: inout FlowRecord) {
    if isIPv6 {
      record.flowLabel = UInt32(truncatingIfNeeded: addresses)
    } else {
      record.key.ipv4Word = addresses
    }
    record.key.transportWord = transport
    record.key.linkWord = link
    record.packets = UInt64(packets)
    record.octets = octets
    record.start = Timestamp(milliseconds: start)
    record.end = Timestamp(milliseconds: end)
    record.egressInterface = egressInterface
    record.ipOptions = ipOptions
    record.tcpOptions = tcpOptions
    record.tcpControlBits = tcpControlBits
    record.endReason = reason
    record.direction = direction
    record.sourcePrefixLength = sourcePrefixLength
    record.destinationPrefixLength = destinationPrefixLength
  }
}

/// A slot with the addresses of an IPv6 Flow: a line and a half.
struct FlowSlotIPv6 {
  var slot: FlowSlot
  var source: IPAddress
  var destination: IPAddress
}
