// SPDX-License-Identifier: Apache-2.0

/// Two ends that exchange packets, whichever of them sends: what a Flow of either direction and a connection share.
struct EndpointPair: Hashable {
  private let first: Endpoint
  private let second: Endpoint
  /// Protocol and version.
  private let transport: UInt16

  private struct Endpoint: Hashable {
    let address: IPAddress
    let port: UInt16

    static func < (a: Endpoint, b: Endpoint) -> Bool {
      (a.address.high, a.address.low, a.port) < (b.address.high, b.address.low, b.port)
    }
  }

  /// Ports tell connections apart only where the protocol has them: an ICMP Flow knows of no identifier.
  init(_ tuple: ConnectionTuple, _ protocolNumber: IPProtocol, _ version: IPVersion) {
    var tuple = tuple
    if !protocolNumber.hasPorts { (tuple.sourcePort, tuple.destinationPort) = (0, 0) }
    self.init(identifying: tuple, protocolNumber, version)
  }

  /// With what stands in place of the ports, whatever the protocol.
  init(identifying tuple: ConnectionTuple, _ protocolNumber: IPProtocol, _ version: IPVersion) {
    let source = Endpoint(address: tuple.source, port: tuple.sourcePort)
    let destination = Endpoint(address: tuple.destination, port: tuple.destinationPort)
    (first, second) = source < destination ? (source, destination) : (destination, source)
    transport = UInt16(protocolNumber.rawValue) | UInt16(version.rawValue) << 8
  }

  func hash(_ hash: KeyHash) -> UInt64 {
    hash.hash(
      first.address.high, first.address.low, second.address.high, second.address.low,
      UInt64(first.port) | UInt64(second.port) << 16 | UInt64(transport) << 32, 0)
  }
}

extension Connection {
  /// What the packets of the original direction show on their way: as they arrive, between the translation of the
  /// destination and that of the source, and as they leave. Two of them, or all, are the same where one end is not
  /// translated. Packets of the other direction show the same the other way round.
  var stages: (arriving: ConnectionTuple, between: ConnectionTuple, leaving: ConnectionTuple) {
    let between = ConnectionTuple(
      source: original.source, destination: translated.destination, sourcePort: original.sourcePort,
      destinationPort: translated.destinationPort)
    return (original, between, translated)
  }

  /// The stages as pairs of ends.
  var pairs: (arriving: EndpointPair, between: EndpointPair, leaving: EndpointPair) {
    let stages = stages
    return (
      EndpointPair(stages.arriving, `protocol`, version), EndpointPair(stages.between, `protocol`, version),
      EndpointPair(stages.leaving, `protocol`, version)
    )
  }

  /// Whether the other one is between the same hosts, and translated to the same ones.
  func hasAddresses(of other: Connection) -> Bool {
    func same(_ a: ConnectionTuple, _ b: ConnectionTuple) -> Bool {
      a.source == b.source && a.destination == b.destination
    }
    return same(original, other.original) && same(translated, other.translated)
  }

  func shows(_ pair: EndpointPair) -> Bool {
    let pairs = pairs
    return pairs.arriving == pair || pairs.leaving == pair || pairs.between == pair
  }

  /// Whether packets from and to these ends are of the original direction. Both ends are compared: where a connection
  /// turns back in the router, the router's address is the source of either direction.
  func isOriginal(_ source: IPAddress, _ sourcePort: UInt16, _ destination: IPAddress, _ destinationPort: UInt16)
    -> Bool
  {
    let hasPorts = `protocol`.hasPorts
    func matches(_ tuple: ConnectionTuple) -> Bool {
      source == tuple.source && destination == tuple.destination
        && (!hasPorts || sourcePort == tuple.sourcePort && destinationPort == tuple.destinationPort)
    }
    let stages = stages
    return matches(stages.arriving) || matches(stages.leaving) || matches(stages.between)
  }
}

extension IPProtocol {
  /// Whether its header begins with two ports.
  @inlinable public var hasPorts: Bool {
    switch self {
    case .tcp, .udp, .udpLite, .sctp, .dccp: true
    default: false
    }
  }
}

/// Finds numbers by hashes; several numbers may have one hash, and a number several hashes.
///
/// Open addressing with linear probing, deletion by shifting back. An entry is the hash's low 32 bits beside the
/// number, which is never 0. At most five eighths are used; it doubles beyond that and never shrinks.
struct PairIndex {
  private var entries = [UInt64](repeating: 0, count: 1024)
  private var used = 0

  private var mask: UInt64 { UInt64(entries.count - 1) }

  mutating func insert(_ number: UInt32, hash: UInt64) {
    if (used + 1) * 8 > entries.count * 5 { grow() }
    place(UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(number))
    used += 1
  }

  private mutating func place(_ entry: UInt64) {
    var position = entry >> 32 & mask
    while entries[Int(position)] != 0 { position = (position &+ 1) & mask }
    entries[Int(position)] = entry
  }

  private mutating func grow() {
    let old = entries
    entries = [UInt64](repeating: 0, count: old.count * 2)
    for entry in old where entry != 0 { place(entry) }
  }

  /// Removes what was inserted with the same number and hash.
  mutating func remove(_ number: UInt32, hash: UInt64) {
    let wanted = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(number)
    var hole = wanted >> 32 & mask
    while entries[Int(hole)] != wanted {
      precondition(entries[Int(hole)] != 0, "no such entry")
      hole = (hole &+ 1) & mask
    }
    var position = hole
    while true {
      position = (position &+ 1) & mask
      let entry = entries[Int(position)]
      if entry == 0 { break }
      if (position &- (entry >> 32 & mask)) & mask >= (position &- hole) & mask {
        entries[Int(hole)] = entry
        hole = position
      }
    }
    entries[Int(hole)] = 0
    used -= 1
  }

  /// Calls `body` with each number that may have this hash.
  @inline(__always)
  func forEach(hash: UInt64, _ body: (UInt32) -> Void) {
    let tag = UInt64(UInt32(truncatingIfNeeded: hash))
    var position = tag & mask
    while true {
      let entry = entries[Int(position)]
      if entry == 0 { return }
      if entry >> 32 == tag { body(UInt32(truncatingIfNeeded: entry)) }
      position = (position &+ 1) & mask
    }
  }
}
