// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Translated connections under anything that conntrack tells")
struct NATLedgerModelTests {
  /// A conntrack as the kernel has it, and a program that reads of it what ConntrackEvents reads, as late as it may.
  ///
  /// Each life of a connection has a number.
  private final class Simulation {
    struct Message {
      var isNew: Bool
      var connection: Connection
      var life: Int
    }

    private static let tuples = 24
    private var random: SplitMix64
    private let mayLose: Bool
    private let subject = LedgerUnderTest(capacity: 10_000, memory: 2000, isListening: false)
    private var now: Int64 = 0

    // The kernel's side.
    private var live: [(connection: Connection, life: Int)?] = Array(repeating: nil, count: tuples)
    private(set) var lives = 0
    private var queue: [Message] = []
    private var isCongested = false
    private var hasOverrun = false
    private(set) var lostBeginnings = 0
    /// How many were there before anybody listened.
    private(set) var older = 0

    // The program's side.
    private var isCaughtUp = true
    private var isCensusDue = true
    private var listing: Listing?
    private struct Listing {
      /// What the kernel has written ahead, and how far it has come.
      var written: [(connection: Connection, life: Int)] = []
      var position = 0
      var isComplete = false
    }

    init(seed: UInt64, mayLose: Bool) {
      random = SplitMix64(state: seed)
      self.mayLose = mayLose
      for _ in 0..<8 { begin() }
      older = lives
      queue = []
    }

    // MARK: The kernel

    private func begin() {
      let number = Int.random(in: 0..<Self.tuples, using: &random)
      guard live[number] == nil else { return }
      var connection = NATSample.numbered(number)
      if number % 3 == 0 { (connection.translated.destination, connection.translated.destinationPort) = (.init(), 7) }
      // The memory of the one before is used again, or other memory.
      connection.id = UInt32(number * 2 + Int.random(in: 0...1, using: &random))
      lives += 1
      if number % 3 == 0, Bool.random(using: &random) {
        var unfinished = connection
        (unfinished.translated.source, unfinished.translated.sourcePort) = (
          connection.original.source, connection.original.sourcePort
        )
        subject.glimpsed(unfinished, at: now)
      }
      if Bool.random(using: &random) { subject.glimpsed(connection, at: now) }
      live[number] = (connection, lives)
      tell(Message(isNew: true, connection: connection, life: lives))
    }

    private func end() {
      let number = Int.random(in: 0..<Self.tuples, using: &random)
      guard let (connection, life) = live[number] else { return }
      live[number] = nil
      // Of the older ones the kernel tells, or does not. Before the first census is over nobody could notice.
      if life <= older, subject.ledger.isFirstCensusOver, Bool.random(using: &random) { return }
      tell(Message(isNew: false, connection: connection, life: life))
    }

    private func tell(_ message: Message) {
      if !isCongested, mayLose, Int.random(in: 0..<60, using: &random) == 0 { (isCongested, hasOverrun) = (true, true) }
      guard isCongested else { return queue.append(message) }
      if message.isNew { lostBeginnings += 1 }
    }

    private func show() {
      guard let (connection, _) = live.randomElement(using: &random)! else { return }
      subject.glimpsed(connection, at: now)
    }

    // MARK: The program

    private func read(_ most: Int) {
      if hasOverrun {
        (hasOverrun, isCaughtUp, isCensusDue) = (false, false, true)
        listing = nil
        return
      }
      for message in queue.prefix(most) {
        if message.isNew {
          subject.began(message.connection, at: now)
        } else {
          subject.ended(message.connection, at: now)
        }
      }
      isCaughtUp = queue.count < most
      queue.removeFirst(min(most, queue.count))
      if queue.isEmpty { isCongested = false }
    }

    private func takeCensus() {
      if listing == nil {
        guard isCaughtUp, isCensusDue || subject.ledger.silentCount > 0 else { return }
        isCensusDue = false
        subject.ledger.beginCensus()
        listing = Listing()
      }
      guard var listing else { return }
      if !listing.isComplete {
        for (connection, _) in listing.written {
          subject.counted(connection, at: now)
        }
        let end = min(listing.position + Int.random(in: 1...8, using: &random), Self.tuples)
        listing.written = live[listing.position..<end].compactMap { $0 }
        listing.isComplete = listing.written.isEmpty && listing.position == Self.tuples
        listing.position = end
      }
      self.listing = listing
    }

    private func completeCensus() {
      guard let listing, listing.isComplete, isCaughtUp else { return }
      subject.endCensus(at: now)
      self.listing = nil
    }

    private func round(_ most: Int) {
      takeCensus()
      read(most)
      completeCensus()
    }

    // MARK: A run

    func run(steps: Int) {
      for _ in 0..<steps {
        now += 1
        switch Int.random(in: 0..<10, using: &random) {
        case 0...2: begin()
        case 3...5: end()
        case 6: show()
        default: round(Int.random(in: 1...8, using: &random))
        }
        if now % 16 == 0 { subject.ledger.assertInvariants() }
      }
      // The last rounds: nothing happens any more.
      for _ in 0..<200 { round(100) }
      isCensusDue = true
      for _ in 0..<200 { round(100) }
    }

    var events: [NATEvent] { subject.events }
    var statistics: NATStatistics { subject.ledger.statistics }
    var silentCount: Int { subject.ledger.silentCount }
    var liveConnections: [Connection] { live.compactMap { $0?.connection } }
  }

  @Test("whatever comes in which order, each beginning and each end is told exactly once", arguments: 1...40)
  func exact(seed: Int) {
    let simulation = Simulation(seed: UInt64(seed), mayLose: false)
    simulation.run(steps: 4000)
    #expect(simulation.statistics.created == UInt64(simulation.lives - simulation.older))
    #expect(simulation.statistics.deleted == UInt64(simulation.lives - simulation.liveConnections.count))
    check(simulation)
  }

  @Test(
    "where events are lost, what is told of each connection stays in order, and is right in the end", arguments: 1...40)
  func lossy(seed: Int) {
    let simulation = Simulation(seed: UInt64(seed), mayLose: true)
    simulation.run(steps: 4000)
    check(simulation)
  }

  private func check(_ simulation: Simulation) {
    // By what tells a connection from others at any one time.
    struct Key: Hashable {
      var original: ConnectionTuple
      var id: UInt32
      init(_ connection: Connection) { (original, id) = (connection.original, connection.id) }
    }
    var (open, begunTwice, endedTwice) = ([Key: Bool](), 0, 0)
    for event in simulation.events {
      let key = Key(event.connection)
      // Of one that is older than the program the beginning was not told.
      if let isOpen = open[key], isOpen == (event.kind == .create) {
        if isOpen { begunTwice += 1 } else { endedTwice += 1 }
      }
      open[key] = event.kind == .create
    }
    #expect(begunTwice == 0)
    // One whose beginning was lost, and that ended before it was listed.
    #expect(endedTwice <= simulation.lostBeginnings)
    let live = simulation.liveConnections
    #expect(simulation.statistics.active == live.count)
    let told = Set(open.filter(\.value).map(\.key))
    #expect(told.isSubset(of: Set(live.map(Key.init))))
    // The others are those that were there before.
    #expect(live.count - told.count == simulation.silentCount)
    #expect(simulation.statistics.created == UInt64(simulation.events.filter { $0.kind == .create }.count))
    #expect(simulation.statistics.deleted == UInt64(simulation.events.filter { $0.kind == .delete }.count))
    #expect(simulation.statistics.overflowed == 0)
  }
}
