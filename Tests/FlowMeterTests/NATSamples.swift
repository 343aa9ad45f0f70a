// SPDX-License-Identifier: Apache-2.0

@testable import FlowMeter

/// Connections that the tests of translations share.
enum NATSample {
  static func address(_ text: String) -> IPAddress { IPAddress.parse(text)!.address }

  static func tuple(
    _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16
  ) -> ConnectionTuple {
    ConnectionTuple(
      source: address(source), destination: address(destination), sourcePort: sourcePort,
      destinationPort: destinationPort)
  }

  /// 10.0.0.2:1000 to 198.51.100.2:53 becomes 203.0.113.1:2000 to the same.
  static let source = Connection(
    original: tuple("10.0.0.2", 1000, "198.51.100.2", 53), translated: tuple("203.0.113.1", 2000, "198.51.100.2", 53),
    version: .v4, protocol: .udp, id: 1)
  /// 192.0.2.7:1000 to 203.0.113.1:8080 becomes the same to 10.0.0.3:80.
  static let destination = Connection(
    original: tuple("192.0.2.7", 1000, "203.0.113.1", 8080), translated: tuple("192.0.2.7", 1000, "10.0.0.3", 80),
    version: .v4, protocol: .tcp, id: 2)
  /// 10.0.0.2:1000 to 203.0.113.1:8080 becomes 10.0.0.1:3000 to 10.0.0.3:80: a server of the own net by its outer
  /// address.
  static let hairpin = Connection(
    original: tuple("10.0.0.2", 1000, "203.0.113.1", 8080), translated: tuple("10.0.0.1", 3000, "10.0.0.3", 80),
    version: .v4, protocol: .tcp, id: 3)
  static let ipv6 = Connection(
    original: tuple("2001:db8:1::2", 1000, "2001:db8:2::2", 443),
    translated: tuple("2001:db8:9::7", 2000, "2001:db8:2::2", 443), version: .v6, protocol: .udp, id: 4)
  /// The identifier 77 becomes 5000.
  static let echo = Connection(
    original: tuple("10.0.0.2", 77, "198.51.100.2", 0), translated: tuple("203.0.113.1", 5000, "198.51.100.2", 0),
    version: .v4, protocol: .icmp, id: 5)
  static let untranslated = Connection(
    original: tuple("192.0.2.1", 1000, "192.0.2.2", 53), translated: tuple("192.0.2.1", 1000, "192.0.2.2", 53),
    version: .v4, protocol: .udp, id: 6)

  /// One of many: another source, and an id of its own.
  static func numbered(_ number: Int) -> Connection {
    var connection = source
    connection.original.sourcePort = UInt16(truncatingIfNeeded: number)
    connection.original.source.ipv4.storage = UInt32(0x0a00_0000 + number >> 16).bigEndian
    connection.translated.sourcePort = UInt16(truncatingIfNeeded: number)
    connection.translated.source.ipv4.storage = UInt32(0xcb00_0000 + number >> 16).bigEndian
    connection.id = UInt32(100 + number)
    return connection
  }

  /// A Flow from the one end to the other.
  static func record(
    _ tuple: ConnectionTuple, _ connection: Connection, start: Int64 = 0, destinationPort: UInt16? = nil
  ) -> FlowRecord {
    var record = FlowRecord()
    (record.key.source, record.key.destination) = (tuple.source, tuple.destination)
    (record.key.sourcePort, record.key.destinationPort) = (tuple.sourcePort, destinationPort ?? tuple.destinationPort)
    (record.key.protocol, record.key.version) = (connection.protocol, connection.version)
    record.start = Timestamp(milliseconds: start)
    return record
  }
}

/// A ledger that is told of things at milliseconds, and the events that it made of them.
final class LedgerUnderTest {
  var ledger: NATLedger
  private(set) var events: [NATEvent] = []
  /// `create 1`, `delete 1`: by the connection's id.
  var told: [String] { events.map { "\($0.kind) \($0.connection.id)" } }

  /// - Parameter isListening: whether the first census is over, which found nothing.
  init(capacity: Int = 1000, memory: Int = 2000, isListening: Bool = true) {
    var configuration = NATTable.Configuration()
    (configuration.capacity, configuration.memory) = (capacity, .milliseconds(memory))
    ledger = NATLedger(configuration)
    if isListening { census([]) }
  }

  /// The wall clock is ahead by an hour.
  private func moment(_ now: Int64) -> NATLedger.Moment {
    NATLedger.Moment(now: Timestamp(milliseconds: now), wall: Timestamp(milliseconds: now + 3_600_000))
  }

  func began(_ connection: Connection, at now: Int64 = 0, stamp: Int64? = nil) {
    var made: [NATEvent] = []
    ledger.began(connection, at: stamp.map { Timestamp(milliseconds: $0) }, moment(now), &made)
    events += made
  }

  func ended(
    _ connection: Connection, at now: Int64 = 0, stamp: Int64? = nil, traffic: ConnectionTraffic? = nil
  ) {
    var made: [NATEvent] = []
    ledger.ended(
      connection, at: stamp.map { Timestamp(milliseconds: $0) }, traffic: traffic, moment(now), &made)
    events += made
  }

  func glimpsed(_ connection: Connection, at now: Int64 = 0) {
    ledger.glimpsed(connection, at: Timestamp(milliseconds: now))
  }

  func counted(_ connection: Connection, at now: Int64 = 0, stamp: Int64? = nil) {
    var made: [NATEvent] = []
    ledger.counted(connection, at: stamp.map { Timestamp(milliseconds: $0) }, moment(now), &made)
    events += made
  }

  func endCensus(at now: Int64 = 0, limit: Int = 1000) {
    var (made, place) = ([NATEvent](), 0)
    while !ledger.endCensus(from: &place, limit: limit, moment(now), &made) {}
    events += made
  }

  /// A whole census, which finds these.
  func census(_ connections: [Connection], at now: Int64 = 0) {
    ledger.beginCensus()
    for connection in connections { counted(connection, at: now) }
    endCensus(at: now)
  }

  /// Whether a Flow of the connection's original direction that began then would be completed.
  func knows(_ connection: Connection, since start: Int64 = 0) -> Bool {
    annotated(NATSample.record(connection.original, connection, start: start)).isTranslated
  }

  func annotated(_ record: FlowRecord) -> FlowRecord {
    var record = record
    ledger.annotate(&record)
    return record
  }
}
