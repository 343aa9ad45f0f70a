// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Censuses of translated connections")
struct NATCensusTests {
  private let connection = NATSample.source

  @Test("what the first census finds began before the program: no event, but its end is one")
  func first() {
    let subject = LedgerUnderTest(isListening: false)
    subject.census([connection])
    #expect(subject.told == [])
    #expect(subject.ledger.silentCount == 1)
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [1, 1])
    subject.ended(connection)
    #expect(subject.told == ["delete 1"])
    #expect(subject.ledger.silentCount == 0)
    #expect(subject.ledger.statistics.recovered == 0)
  }

  @Test("one that began between the first listening and the first census is told of, in either order")
  func betweenListeningAndCensus() {
    let subject = LedgerUnderTest(isListening: false)
    subject.ledger.beginCensus()
    subject.counted(connection)
    subject.began(connection)
    subject.began(NATSample.ipv6)
    subject.counted(NATSample.ipv6)
    subject.endCensus()
    #expect(subject.told == ["create 1", "create 4"])
    #expect(subject.ledger.silentCount == 0)
  }

  @Test("one older than the program ends without an event of the kernel's: the next census tells")
  func silentEnd() {
    let subject = LedgerUnderTest(isListening: false)
    subject.census([connection, NATSample.ipv6])
    subject.census([NATSample.ipv6], at: 30_000)
    #expect(subject.told == ["delete 1"])
    #expect(subject.events.map(\.time.milliseconds) == [3_630_000])
    #expect(subject.ledger.silentCount == 1)
    #expect(subject.ledger.statistics.recovered == 1)
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [1, 2])
    subject.census([NATSample.ipv6], at: 30_001)
    #expect(subject.told == ["delete 1"])
  }

  @Test("where one that is older than the program ends silently and another begins with its id, both are told")
  func silentEndAndReuse() {
    let subject = LedgerUnderTest(isListening: false)
    subject.census([connection])
    subject.began(connection, at: 5000)
    #expect(subject.told == ["delete 1", "create 1"])
    #expect(subject.ledger.silentCount == 0)
    #expect(subject.ledger.statistics.recovered == 1)
    subject.census([connection], at: 10_000)
    subject.ended(connection, at: 11_000)
    #expect(subject.told == ["delete 1", "create 1", "delete 1"])
  }

  @Test("after an overrun a census tells what was lost: beginnings and ends")
  func overrun() {
    let subject = LedgerUnderTest()
    subject.began(connection)
    subject.began(NATSample.ipv6)
    // Lost: the end of the one, and the beginning of another.
    subject.census([NATSample.ipv6, NATSample.hairpin])
    #expect(subject.told == ["create 1", "create 4", "create 3", "delete 1"])
    #expect(subject.ledger.statistics.recovered == 2)
    #expect(subject.ledger.statistics.active == 2)
    #expect(subject.ledger.silentCount == 0)
  }

  @Test("a create event that a census makes has the connection's own stamp where there is one")
  func stamp() {
    let subject = LedgerUnderTest()
    subject.ledger.beginCensus()
    subject.counted(connection, at: 5000, stamp: 4000)
    subject.counted(NATSample.ipv6, at: 5000)
    #expect(subject.events.map(\.time.milliseconds) == [4000, 3_605_000])
  }

  @Test("events that are read after the census has told of the same are none")
  func eventsAfter() {
    let subject = LedgerUnderTest()
    subject.began(NATSample.ipv6)
    subject.census([connection])
    #expect(subject.told == ["create 4", "create 1", "delete 4"])
    subject.began(connection)
    subject.ended(NATSample.ipv6)
    #expect(subject.told == ["create 4", "create 1", "delete 4"])
  }

  @Test("one that begins while the listing is under way is not missed by it, and does not end with it")
  func beginsUnderCensus() {
    let subject = LedgerUnderTest()
    subject.ledger.beginCensus()
    subject.began(connection)
    subject.endCensus()
    #expect(subject.told == ["create 1"])
  }

  @Test("one that packets told of before, and that begins while the listing is under way, does not end with it")
  func glimpsedBeginsUnderCensus() {
    let subject = LedgerUnderTest()
    subject.glimpsed(connection)
    subject.ledger.beginCensus()
    subject.began(connection)
    subject.endCensus()
    #expect(subject.told == ["create 1"])
    #expect(subject.ledger.statistics.active == 1)
  }

  @Test("one that ends while the listing is under way ends once, whether it was listed before or after")
  func endsUnderCensus() {
    let subject = LedgerUnderTest()
    subject.began(connection)
    subject.ledger.beginCensus()
    subject.ended(connection)
    subject.counted(connection)
    subject.endCensus()
    #expect(subject.told == ["create 1", "delete 1"])
    subject.census([])
    #expect(subject.told == ["create 1", "delete 1"])
  }

  @Test("one that nobody knew, that ends and is listed all the same, ends once", arguments: [true, false])
  func unknownEndsUnderCensus(isListening: Bool) {
    // The kernel wrote the piece of the listing before the connection ended; its event was read before that piece.
    let subject = LedgerUnderTest(isListening: isListening)
    subject.ledger.beginCensus()
    subject.ended(connection)
    subject.counted(connection)
    subject.endCensus()
    #expect(subject.told == ["delete 1"])
    #expect(subject.ledger.silentCount == 0)
    subject.census([], at: 30_000)
    #expect(subject.told == ["delete 1"])
  }

  @Test("one that begins again with the same id, of which only a later census tells, is told of")
  func reusedAndLost() {
    let subject = LedgerUnderTest()
    subject.began(connection, at: 0)
    subject.ended(connection, at: 100)
    subject.census([connection], at: 200)
    #expect(subject.told == ["create 1", "delete 1", "create 1"])
    subject.began(connection, at: 300)
    subject.ended(connection, at: 400)
    #expect(subject.told == ["create 1", "delete 1", "create 1", "delete 1"])
  }

  @Test("one that packets told of and a census finds has begun: its event was lost, or is still to be read")
  func glimpsedAndCounted() {
    let subject = LedgerUnderTest()
    subject.glimpsed(connection)
    subject.census([connection])
    #expect(subject.told == ["create 1"])
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [1, 1])
    subject.began(connection)
    #expect(subject.told == ["create 1"])
    subject.census([])
    #expect(subject.told == ["create 1", "delete 1"])
  }

  @Test("one that packets told of before the first census is one that may end silently")
  func glimpsedBeforeFirst() {
    let subject = LedgerUnderTest(isListening: false)
    subject.glimpsed(connection)
    subject.census([connection])
    #expect(subject.told == [])
    #expect(subject.ledger.silentCount == 1)
    subject.census([])
    #expect(subject.told == ["delete 1"])
    #expect(subject.ledger.silentCount == 0)
  }

  @Test("what only packets told of does not end with a census")
  func glimpsedOnly() {
    let subject = LedgerUnderTest()
    subject.glimpsed(connection)
    subject.census([])
    #expect(subject.told == [])
    #expect(subject.knows(connection))
  }

  @Test("a census whose conclusions come in parts makes the same events")
  func inParts() {
    let subject = LedgerUnderTest()
    let connections = (0..<10).map { NATSample.numbered($0) }
    for connection in connections { subject.began(connection) }
    subject.ledger.beginCensus()
    for connection in connections where connection.id % 2 == 0 { subject.counted(connection) }
    var (place, made) = (0, [NATEvent]())
    let moment = NATLedger.Moment(now: Timestamp(milliseconds: 0), wall: Timestamp(milliseconds: 0))
    var parts = 0
    var isDone = false
    while !isDone {
      let before = made.count
      isDone = subject.ledger.endCensus(from: &place, limit: 2, moment, &made)
      #expect(made.count - before <= 2)
      parts += 1
    }
    // Ten places and the one that stays empty, two at a time.
    #expect(parts == 6)
    #expect(made.map(\.connection.id) == [101, 103, 105, 107, 109])
  }

  @Test("of an empty table nothing is concluded")
  func empty() {
    let subject = LedgerUnderTest(isListening: false)
    subject.census([])
    subject.census([])
    #expect(subject.told == [])
  }
}
