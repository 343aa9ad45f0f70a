// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Translated connections")
struct NATLedgerTests {
  private let connection = NATSample.source

  // MARK: Events

  @Test("a connection that begins and ends is told of once each")
  func beginAndEnd() {
    let subject = LedgerUnderTest()
    subject.began(connection)
    subject.ended(connection)
    #expect(subject.told == ["create 1", "delete 1"])
    let statistics = subject.ledger.statistics
    #expect([statistics.created, statistics.deleted, statistics.recovered] == [1, 1, 0])
    #expect([statistics.active, statistics.held] == [0, 1])
  }

  @Test("an event has conntrack's stamp, or else the wall clock's time of its arrival")
  func stamps() {
    let subject = LedgerUnderTest()
    subject.began(connection, at: 1000)
    subject.ended(connection, at: 2000, stamp: 77)
    subject.began(NATSample.ipv6, at: 1000, stamp: 78)
    subject.ended(NATSample.ipv6, at: 3000)
    #expect(subject.events.map(\.time.milliseconds) == [3_601_000, 77, 78, 3_603_000])
  }

  @Test("the end has what the connection carried, the beginning nothing")
  func traffic() {
    var traffic = ConnectionTraffic()
    (traffic.initiatorPackets, traffic.responderOctets) = (5, 400)
    let subject = LedgerUnderTest()
    subject.began(connection)
    subject.ended(connection, traffic: traffic)
    #expect(subject.events.map(\.traffic) == [nil, traffic])
  }

  @Test("what is told twice is an event once")
  func twice() {
    let subject = LedgerUnderTest()
    subject.began(connection)
    subject.began(connection)
    subject.ended(connection)
    subject.ended(connection)
    #expect(subject.told == ["create 1", "delete 1"])
    #expect(subject.ledger.statistics.held == 1)
  }

  @Test("connections that are not translated are nothing to tell of")
  func untranslated() {
    let subject = LedgerUnderTest()
    subject.began(NATSample.untranslated)
    subject.glimpsed(NATSample.untranslated)
    subject.census([NATSample.untranslated])
    subject.ended(NATSample.untranslated)
    #expect(subject.told == [])
    #expect(subject.ledger.statistics.held == 0)
  }

  @Test("an end whose beginning was not heard of is told, once")
  func endAlone() {
    let subject = LedgerUnderTest()
    subject.ended(connection)
    subject.ended(connection)
    #expect(subject.told == ["delete 1"])
    #expect(subject.ledger.statistics.active == 0)
  }

  @Test("a connection that begins where one has just ended is another, also if the kernel gives it the same id")
  func idReused() {
    // What conntrack -E -o id prints of a UDP connection that times out and begins again, 40 µs apart:
    // [DESTROY] udp … id=1133662334, then [NEW] udp … id=1133662334.
    let subject = LedgerUnderTest()
    for time in stride(from: 0, to: 50_000, by: 5000) as StrideTo<Int64> {
      subject.began(connection, at: time)
      subject.ended(connection, at: time + 4999)
    }
    #expect(subject.told == Array(repeating: ["create 1", "delete 1"], count: 10).flatMap { $0 })
    #expect(subject.ledger.statistics.active == 0)
    #expect(subject.ledger.statistics.held == 1)
  }

  @Test("a later connection between the same ends, with another id, is another")
  func anotherID() {
    var later = connection
    later.id = 9
    let subject = LedgerUnderTest()
    subject.began(connection)
    subject.began(later)
    subject.ended(connection)
    #expect(subject.told == ["create 1", "create 9", "delete 1"])
    subject.ended(later)
    #expect(subject.told.last == "delete 9")
  }

  // MARK: Packets

  @Test("a packet makes no event; the beginning that follows does, and the connection is held once")
  func glimpsedFirst() {
    let subject = LedgerUnderTest()
    subject.glimpsed(connection)
    #expect(subject.told == [])
    #expect(subject.knows(connection))
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [0, 1])
    subject.began(connection)
    subject.glimpsed(connection)
    #expect(subject.told == ["create 1"])
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [1, 1])
    subject.ended(connection)
    subject.glimpsed(connection)
    #expect(subject.told == ["create 1", "delete 1"])
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [0, 1])
  }

  @Test("a connection that only packets told of ends by its event")
  func glimpsedThenEnded() {
    let subject = LedgerUnderTest()
    subject.glimpsed(connection)
    subject.ended(connection)
    #expect(subject.told == ["delete 1"])
    #expect(subject.ledger.statistics.active == 0)
  }

  @Test("a connection of which packets tell is known as long as they come, and a while longer")
  func glimpsedFades() {
    let subject = LedgerUnderTest(memory: 2000)
    subject.glimpsed(connection, at: 0)
    for time in stride(from: 500, through: 10_000, by: 500) as StrideThrough<Int64> {
      subject.glimpsed(connection, at: time)
      subject.began(NATSample.numbered(Int(time)), at: time)
      #expect(subject.knows(connection, since: time))
    }
    subject.began(NATSample.numbered(1), at: 11_999)
    #expect(subject.knows(connection, since: 11_999))
    subject.began(NATSample.numbered(2), at: 12_000)
    #expect(!subject.knows(connection, since: 12_000))
  }

  @Test("a connection whose source packets show before it is chosen is the one whose beginning is told then")
  func unfinished() {
    // The first packet in FORWARD: its destination is translated, its source not yet.
    var unfinished = NATSample.hairpin
    unfinished.translated.source = unfinished.original.source
    unfinished.translated.sourcePort = unfinished.original.sourcePort
    for isGlimpsedAgain in [false, true] {
      let subject = LedgerUnderTest()
      subject.glimpsed(unfinished, at: 0)
      subject.began(NATSample.hairpin, at: 1)
      // Logged packets are read later than events.
      if isGlimpsedAgain { subject.glimpsed(unfinished, at: 100) }
      #expect(subject.told == ["create 3"])
      #expect(subject.ledger.statistics.held == 1)
      let record = subject.annotated(NATSample.record(NATSample.hairpin.original, NATSample.hairpin))
      #expect(record.postNATSource == NATSample.address("10.0.0.1"))
      subject.ended(NATSample.hairpin, at: 200)
      if isGlimpsedAgain { subject.glimpsed(unfinished, at: 300) }
      let late = subject.annotated(NATSample.record(NATSample.hairpin.original, NATSample.hairpin))
      #expect(late.postNATSource == NATSample.address("10.0.0.1"))
    }
    let subject = LedgerUnderTest()
    subject.glimpsed(unfinished)
    subject.glimpsed(NATSample.hairpin)
    #expect(subject.ledger.statistics.held == 1)
    let record = subject.annotated(NATSample.record(NATSample.hairpin.original, NATSample.hairpin))
    #expect(record.postNATSource == NATSample.address("10.0.0.1"))
  }

  // MARK: Room

  @Test("beyond its capacity connections are not held, but events are told")
  func full() {
    let subject = LedgerUnderTest(capacity: 2)
    for number in 0..<4 { subject.began(NATSample.numbered(number)) }
    #expect(subject.told == ["create 100", "create 101", "create 102", "create 103"])
    #expect(subject.ledger.statistics.held == 2)
    #expect(subject.ledger.statistics.overflowed == 2)
    #expect(!subject.knows(NATSample.numbered(3)))
    for number in [2, 3, 0, 1] { subject.ended(NATSample.numbered(number)) }
    #expect(subject.told.suffix(4) == ["delete 102", "delete 103", "delete 100", "delete 101"])
    #expect(subject.ledger.statistics.active == 0)
    #expect(subject.ledger.statistics.overflowed == 2)
  }

  @Test("one that ended or was glimpsed makes room, the oldest first, for one that lives")
  func makesRoom() {
    let subject = LedgerUnderTest(capacity: 3)
    subject.began(NATSample.numbered(0), at: 0)
    subject.ended(NATSample.numbered(0), at: 1)
    subject.glimpsed(NATSample.numbered(1), at: 2)
    subject.began(NATSample.numbered(2), at: 3)
    subject.began(NATSample.numbered(3), at: 4)
    #expect(!subject.knows(NATSample.numbered(0)))
    #expect(subject.knows(NATSample.numbered(1)))
    subject.began(NATSample.numbered(4), at: 5)
    #expect(!subject.knows(NATSample.numbered(1)))
    subject.began(NATSample.numbered(5), at: 6)
    #expect(subject.ledger.statistics.overflowed == 1)
    #expect([subject.ledger.statistics.active, subject.ledger.statistics.held] == [3, 3])
  }

  // MARK: Memory

  @Test("an ended connection completes Flows that began before it ended, until it is forgotten")
  func memory() {
    let subject = LedgerUnderTest(memory: 2000)
    subject.began(connection, at: 0)
    subject.ended(connection, at: 5000)
    #expect(subject.knows(connection, since: 5000))
    // A second for clocks that differ.
    #expect(subject.knows(connection, since: 6000))
    #expect(!subject.knows(connection, since: 6001))
    subject.began(NATSample.numbered(1), at: 6999)
    #expect(subject.knows(connection, since: 5000))
    subject.began(NATSample.numbered(2), at: 7000)
    #expect(!subject.knows(connection, since: 5000))
    #expect(subject.ledger.statistics.held == 2)
  }

  @Test("a connection is remembered its whole time, also behind one that packets told of before it began")
  func memoryBehindGlimpsed() {
    let subject = LedgerUnderTest(memory: 2000)
    subject.glimpsed(NATSample.ipv6, at: 0)
    subject.began(NATSample.ipv6, at: 1)
    subject.began(connection, at: 2)
    subject.ended(connection, at: 1500)
    subject.began(NATSample.numbered(1), at: 2001)
    #expect(subject.knows(connection))
    subject.began(NATSample.numbered(2), at: 3499)
    #expect(subject.knows(connection))
    subject.began(NATSample.numbered(3), at: 3500)
    #expect(!subject.knows(connection))
    #expect(subject.knows(NATSample.ipv6))
  }

  @Test("a connection that began again is not forgotten when its predecessor's time is over")
  func memoryOfReused() {
    let subject = LedgerUnderTest(memory: 2000)
    subject.began(connection, at: 0)
    subject.ended(connection, at: 100)
    subject.began(connection, at: 200)
    subject.began(NATSample.numbered(1), at: 2100)
    #expect(subject.knows(connection, since: 3000))
    subject.ended(connection, at: 2200)
    subject.began(NATSample.numbered(2), at: 4199)
    #expect(subject.knows(connection, since: 2200))
    subject.began(NATSample.numbered(3), at: 4200)
    #expect(!subject.knows(connection, since: 2200))
  }

  @Test("however long it runs, it holds no more than what lives and what is remembered")
  func flat() {
    let subject = LedgerUnderTest(capacity: 100_000, memory: 200)
    var random = SplitMix64(state: 1)
    var live: [Connection] = []
    var mostHeld = 0
    // Ten connections a millisecond, each lives 50 ms, every third is glimpsed first; some begin again with their id.
    for time in 0..<3000 as Range<Int64> {
      for number in 0..<10 {
        let connection = NATSample.numbered((Int(time) * 10 + number) % 5000)
        if number % 3 == 0 { subject.glimpsed(connection, at: time) }
        subject.began(connection, at: time)
        live.append(connection)
      }
      for connection in live.prefix(max(0, live.count - 500)) {
        subject.ended(connection, at: time)
        if Int.random(in: 0..<20, using: &random) == 0 {
          subject.began(connection, at: time)
          subject.ended(connection, at: time)
        }
      }
      live.removeFirst(max(0, live.count - 500))
      mostHeld = max(mostHeld, subject.ledger.statistics.held)
      if time % 256 == 0 { subject.ledger.assertInvariants() }
    }
    // 50 ms and 200 ms of ten a millisecond.
    #expect(mostHeld <= 2510)
    #expect(subject.ledger.statistics.active == 500)
    #expect(subject.ledger.entries.count <= 2511)
    #expect(subject.ledger.fading.count <= 6000)
    #expect(subject.ledger.statistics.created - subject.ledger.statistics.deleted == 500)
  }

  @Test("a single connection that begins again and again leaves nothing behind")
  func flatForOne() {
    let subject = LedgerUnderTest(memory: 2000)
    for time in stride(from: 0, to: 10_000_000, by: 1000) as StrideTo<Int64> {
      subject.began(connection, at: time)
      subject.ended(connection, at: time + 900)
    }
    #expect(subject.ledger.statistics.held == 1)
    #expect(subject.ledger.entries.count <= 2)
    #expect(subject.ledger.fading.count <= 2100)
  }
}
