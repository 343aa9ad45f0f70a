// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Flow Records of translated connections")
struct NATAnnotationTests {
  /// What a Flow becomes, as `source:port > destination:port`; of one that is not completed "as it is".
  private func becomes(
    _ record: FlowRecord, of connection: Connection, in subject: LedgerUnderTest
  ) -> String {
    let record = subject.annotated(record)
    guard record.isTranslated else { return "as it is" }
    let version = record.key.version
    return record.postNATSource.text(version) + ":\(record.postNAPTSourcePort) > "
      + record.postNATDestination.text(version) + ":\(record.postNAPTDestinationPort)"
  }

  /// A case: packets from the one end to the other of the connection, and what they become.
  struct Position: Sendable, CustomTestStringConvertible {
    var name: String
    var connection: Connection
    var tuple: ConnectionTuple
    var becomes: String
    var testDescription: String { name }

    init(
      _ name: String, _ connection: Connection, _ source: String, _ sourcePort: UInt16, _ destination: String,
      _ destinationPort: UInt16, becomes: String
    ) {
      (self.name, self.connection, self.becomes) = (name, connection, becomes)
      tuple = NATSample.tuple(source, sourcePort, destination, destinationPort)
    }
  }

  static let positions = [
    Position(
      "source, as it arrives", NATSample.source, "10.0.0.2", 1000, "198.51.100.2", 53,
      becomes: "203.0.113.1:2000 > 198.51.100.2:53"),
    Position(
      "source, as it leaves", NATSample.source, "203.0.113.1", 2000, "198.51.100.2", 53,
      becomes: "203.0.113.1:2000 > 198.51.100.2:53"),
    Position(
      "source, the answer as it arrives", NATSample.source, "198.51.100.2", 53, "203.0.113.1", 2000,
      becomes: "198.51.100.2:53 > 10.0.0.2:1000"),
    Position(
      "source, the answer as it leaves", NATSample.source, "198.51.100.2", 53, "10.0.0.2", 1000,
      becomes: "198.51.100.2:53 > 10.0.0.2:1000"),
    Position(
      "destination, as it arrives", NATSample.destination, "192.0.2.7", 1000, "203.0.113.1", 8080,
      becomes: "192.0.2.7:1000 > 10.0.0.3:80"),
    Position(
      "destination, as it leaves", NATSample.destination, "192.0.2.7", 1000, "10.0.0.3", 80,
      becomes: "192.0.2.7:1000 > 10.0.0.3:80"),
    Position(
      "destination, the answer as it arrives", NATSample.destination, "10.0.0.3", 80, "192.0.2.7", 1000,
      becomes: "203.0.113.1:8080 > 192.0.2.7:1000"),
    Position(
      "destination, the answer as it leaves", NATSample.destination, "203.0.113.1", 8080, "192.0.2.7", 1000,
      becomes: "203.0.113.1:8080 > 192.0.2.7:1000"),
    Position(
      "both, as it arrives", NATSample.hairpin, "10.0.0.2", 1000, "203.0.113.1", 8080,
      becomes: "10.0.0.1:3000 > 10.0.0.3:80"),
    Position(
      "both, between the translations", NATSample.hairpin, "10.0.0.2", 1000, "10.0.0.3", 80,
      becomes: "10.0.0.1:3000 > 10.0.0.3:80"),
    Position(
      "both, as it leaves", NATSample.hairpin, "10.0.0.1", 3000, "10.0.0.3", 80, becomes: "10.0.0.1:3000 > 10.0.0.3:80"),
    Position(
      "both, the answer as it arrives", NATSample.hairpin, "10.0.0.3", 80, "10.0.0.1", 3000,
      becomes: "203.0.113.1:8080 > 10.0.0.2:1000"),
    Position(
      "both, the answer between the translations", NATSample.hairpin, "10.0.0.3", 80, "10.0.0.2", 1000,
      becomes: "203.0.113.1:8080 > 10.0.0.2:1000"),
    Position(
      "both, the answer as it leaves", NATSample.hairpin, "203.0.113.1", 8080, "10.0.0.2", 1000,
      becomes: "203.0.113.1:8080 > 10.0.0.2:1000"),
    Position(
      "IPv6, as it arrives", NATSample.ipv6, "2001:db8:1::2", 1000, "2001:db8:2::2", 443,
      becomes: "2001:db8:9::7:2000 > 2001:db8:2::2:443"),
    Position(
      "IPv6, the answer as it arrives", NATSample.ipv6, "2001:db8:2::2", 443, "2001:db8:9::7", 2000,
      becomes: "2001:db8:2::2:443 > 2001:db8:1::2:1000"),
    // Of ICMP the Flow has type and code for a destination port, and the export none of the ports.
    Position(
      "an echo as it arrives", NATSample.echo, "10.0.0.2", 0, "198.51.100.2", 0x0800,
      becomes: "203.0.113.1:0 > 198.51.100.2:0"),
    Position(
      "an echo as it leaves", NATSample.echo, "203.0.113.1", 0, "198.51.100.2", 0x0800,
      becomes: "203.0.113.1:0 > 198.51.100.2:0"),
    Position(
      "an echo's answer as it arrives", NATSample.echo, "198.51.100.2", 0, "203.0.113.1", 0,
      becomes: "198.51.100.2:0 > 10.0.0.2:0"),
    Position(
      "an echo's answer as it leaves", NATSample.echo, "198.51.100.2", 0, "10.0.0.2", 0,
      becomes: "198.51.100.2:0 > 10.0.0.2:0"),
  ]

  @Test("wherever its packets are observed, a Flow has what they are behind all translations", arguments: positions)
  func everywhere(_ position: Position) {
    let subject = LedgerUnderTest()
    for connection in [
      NATSample.source, NATSample.destination, NATSample.hairpin, NATSample.ipv6, NATSample.echo,
    ] { subject.began(connection) }
    let record = NATSample.record(position.tuple, position.connection)
    #expect(becomes(record, of: position.connection, in: subject) == position.becomes)
  }

  @Test("a Flow is left as it is where a port, an address, the protocol or the version is another")
  func others() {
    let subject = LedgerUnderTest()
    subject.began(NATSample.source)
    let right = NATSample.record(NATSample.source.original, NATSample.source)
    #expect(subject.annotated(right).isTranslated)
    let changes: [(inout FlowRecord) -> Void] = [
      { $0.key.sourcePort = 1001 }, { $0.key.destinationPort = 54 }, { $0.key.protocol = .tcp },
      { $0.key.version = .v6 }, { $0.key.source = NATSample.address("10.0.0.3") },
      { $0.key.destination = NATSample.address("198.51.100.3") },
      { ($0.key.sourcePort, $0.key.destinationPort) = ($0.key.destinationPort, $0.key.sourcePort) },
    ]
    for change in changes {
      var record = right
      change(&record)
      #expect(!subject.annotated(record).isTranslated)
    }
  }

  @Test("a server that reaches itself by its outer address: each direction of an echo, and of one that keeps its port")
  func toItself() {
    // 10.0.0.3 to 203.0.113.1 becomes 10.0.0.1 to 10.0.0.3.
    let echo = Connection(
      original: NATSample.tuple("10.0.0.3", 7, "203.0.113.1", 0),
      translated: NATSample.tuple("10.0.0.1", 7, "10.0.0.3", 0), version: .v4, protocol: .icmp, id: 1)
    let time = Connection(
      original: NATSample.tuple("10.0.0.3", 123, "203.0.113.1", 123),
      translated: NATSample.tuple("10.0.0.1", 123, "10.0.0.3", 123), version: .v4, protocol: .udp, id: 2)
    let subject = LedgerUnderTest()
    subject.began(echo)
    subject.began(time)
    for (connection, port) in [(echo, 0), (time, 123)] as [(Connection, UInt16)] {
      func becomes(_ source: String, _ destination: String) -> String {
        self.becomes(
          NATSample.record(NATSample.tuple(source, port, destination, port), connection), of: connection, in: subject)
      }
      #expect(becomes("10.0.0.3", "203.0.113.1") == "10.0.0.1:\(port) > 10.0.0.3:\(port)")
      #expect(becomes("10.0.0.1", "10.0.0.3") == "10.0.0.1:\(port) > 10.0.0.3:\(port)")
      #expect(becomes("10.0.0.3", "10.0.0.1") == "203.0.113.1:\(port) > 10.0.0.3:\(port)")
      #expect(becomes("203.0.113.1", "10.0.0.3") == "203.0.113.1:\(port) > 10.0.0.3:\(port)")
    }
  }

  @Test("of two connections between the same ends the live one counts, else the one that ended last")
  func several() {
    var later = NATSample.source
    (later.id, later.translated.sourcePort) = (9, 2009)
    let subject = LedgerUnderTest()
    func port(_ subject: LedgerUnderTest) -> UInt16 {
      subject.annotated(NATSample.record(NATSample.source.original, NATSample.source)).postNAPTSourcePort
    }
    subject.began(NATSample.source, at: 0)
    subject.ended(NATSample.source, at: 100)
    subject.began(later, at: 200)
    #expect(port(subject) == 2009)
    subject.ended(later, at: 300)
    #expect(port(subject) == 2009)

    let reversed = LedgerUnderTest()
    reversed.began(later, at: 0)
    reversed.began(NATSample.source, at: 100)
    reversed.ended(later, at: 200)
    #expect(port(reversed) == 2000)
  }

  @Test("outside, an echo is nobody's where two hosts of one address talk to the same, and one's where it is alone")
  func echoes() {
    let subject = LedgerUnderTest()
    var again = NATSample.echo
    (again.id, again.original.sourcePort, again.translated.sourcePort) = (20, 78, 5001)
    var neighbour = NATSample.echo
    (neighbour.id, neighbour.original.source) = (21, NATSample.address("10.0.0.3"))
    func isTranslated(_ tuple: ConnectionTuple) -> Bool {
      subject.annotated(NATSample.record(tuple, NATSample.echo)).isTranslated
    }
    subject.began(NATSample.echo)
    subject.began(again)
    #expect(isTranslated(NATSample.echo.translated))
    subject.began(neighbour)
    #expect(!isTranslated(NATSample.echo.translated))
    #expect(isTranslated(NATSample.echo.original))
    #expect(isTranslated(neighbour.original))
  }

  @Test("a Flow that was over when the next connection between the same ends began has the one that ended")
  func laterConnection() {
    var later = NATSample.source
    (later.id, later.translated.sourcePort) = (9, 2009)
    let subject = LedgerUnderTest()
    subject.began(NATSample.source, at: 0)
    subject.ended(NATSample.source, at: 3000)
    subject.began(later, at: 4500)
    var record = NATSample.record(NATSample.source.original, NATSample.source)
    record.end = Timestamp(milliseconds: 2900)
    #expect(subject.annotated(record).postNAPTSourcePort == 2000)
    (record.start, record.end) = (Timestamp(milliseconds: 5001), Timestamp(milliseconds: 6000))
    #expect(subject.annotated(record).postNAPTSourcePort == 2009)
  }

  @Test("of any number of echoes between two hosts each begins and ends, and their Flows are completed all the while")
  func manyEchoes() {
    let subject = LedgerUnderTest(capacity: 100_000)
    let echoes = (0..<2000).map { number in
      var echo = NATSample.echo
      (echo.original.sourcePort, echo.translated.sourcePort) = (UInt16(number), UInt16(number))
      echo.id = UInt32(number)
      return echo
    }
    let record = NATSample.record(NATSample.echo.original, NATSample.echo)
    var unknown = 0
    for (time, echo) in echoes.enumerated() {
      subject.began(echo, at: Int64(time))
      if time >= 100 { subject.ended(echoes[time - 100], at: Int64(time)) }
      if !subject.annotated(record).isTranslated { unknown += 1 }
    }
    for echo in echoes.suffix(100) { subject.ended(echo, at: 3000) }
    #expect(subject.events.filter { $0.kind == .create }.map(\.connection.id) == echoes.map(\.id))
    #expect(subject.events.filter { $0.kind == .delete }.map(\.connection.id) == echoes.map(\.id))
    #expect(unknown == 0)
    // Eight that have ended make room for one that begins.
    subject.began(NATSample.echo, at: 4500)
    #expect(subject.knows(NATSample.echo, since: 4500))
    // When all the others are forgotten it is found by what it leaves with.
    subject.began(NATSample.hairpin, at: 10_000)
    #expect(subject.ledger.statistics.held == 2)
    #expect(subject.annotated(NATSample.record(NATSample.echo.translated, NATSample.echo, start: 9000)).isTranslated)
  }

  @Test("outside, an echo is nobody's either where more of them go to one host than are looked at")
  func crowdedEchoes() {
    let subject = LedgerUnderTest()
    for number in 0..<20 {
      var echo = NATSample.echo
      (echo.original.sourcePort, echo.translated.sourcePort) = (UInt16(number), UInt16(number))
      echo.id = UInt32(number)
      subject.began(echo)
    }
    var neighbour = NATSample.echo
    (neighbour.id, neighbour.original.source) = (21, NATSample.address("10.0.0.3"))
    subject.began(neighbour)
    func isTranslated(_ tuple: ConnectionTuple) -> Bool {
      subject.annotated(NATSample.record(tuple, NATSample.echo)).isTranslated
    }
    #expect(!isTranslated(NATSample.echo.translated))
    #expect(!isTranslated(NATSample.echo.translated.inverse))
    #expect(isTranslated(NATSample.echo.original))
    #expect(isTranslated(neighbour.original))
    #expect(isTranslated(neighbour.original.inverse))
  }

  @Test("the records of a buffer are completed, those of other connections are left")
  func buffer() {
    let table = NATTable()
    table.note(NATSample.source, at: Timestamp(milliseconds: 0))
    table.note(NATSample.untranslated, at: Timestamp(milliseconds: 0))
    #expect(table.statistics.held == 1)
    var buffer = FlowRecordBuffer()
    for connection in [NATSample.source, NATSample.untranslated, NATSample.ipv6] {
      buffer.append(NATSample.record(connection.original, connection))
    }
    table.annotate(&buffer)
    let translated = (0..<3).map { buffer[$0].isTranslated }
    #expect(translated == [true, false, false])

    let empty = NATTable()
    var other = FlowRecordBuffer()
    other.append(NATSample.record(NATSample.source.original, NATSample.source))
    empty.annotate(&other)
    let isTranslated = other[0].isTranslated
    #expect(!isTranslated)
  }
}
