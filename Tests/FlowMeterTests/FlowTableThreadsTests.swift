// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import FlowMeter

@Suite("The flow table under several threads")
struct FlowTableThreadsTests {
  /// Packets and octets of a Flow, by the number in its ports.
  struct Sums: Equatable {
    var packets: UInt64 = 0
    var octets: UInt64 = 0
  }

  /// What the threads of a test share: the table, how far the writers are, and a place for what each of them did, which
  /// is read when it has ended: the table alone is to be held together by its locks.
  private final class Stage: @unchecked Sendable {
    let table: FlowTable
    /// The packets' time that a writer has reached.
    let clock = Atomic<Int64>(0)
    let running: Atomic<Int>
    /// By thread, what it added and what it took.
    let accounts: [Account]

    /// A thread's own.
    final class Account {
      var added: [Int: Sums] = [:]
      var taken: [Int: Sums] = [:]
    }

    /// - Parameter writers: beside them there are an expirer and the test itself, who take too.
    init(_ table: FlowTable, writers: Int) {
      self.table = table
      running = Atomic(writers)
      accounts = (0..<writers + 2).map { _ in Account() }
    }

    /// Takes what has ended, and accounts for it.
    func take(_ account: Account, everything: Bool = false) {
      var (sweep, more, sums) = (FlowTableSweep(), true, [Int: Sums]())
      var buffer = FlowRecordBuffer(capacity: 256)
      let now = Timestamp(milliseconds: clock.load(ordering: .relaxed))
      while more {
        more = table.takeExpired(at: now, everything: everything, sweep: &sweep, into: &buffer)
        for i in 0..<buffer.count {
          let record = buffer[i]
          sums[number(record), default: Sums()].add(record.packets, record.octets)
        }
        buffer.removeAll()
      }
      account.taken.add(sums)
    }

    private func number(_ record: FlowRecord) -> Int {
      (record.key.version == .v6 ? 1 << 16 : 0) | Int(record.key.sourcePort)
    }
  }

  /// Adds packets of Flows out of ever more, and takes out itself where the exporter does not keep up.
  private static func write(_ stage: Stage, number: Int, rounds: Int) {
    var random = SplitMix64(state: UInt64(number))
    let account = stage.accounts[number]
    var batch = PacketBatch()
    for round in 0..<rounds {
      let time = Int64(round) * 100
      batch.reset(at: Timestamp(milliseconds: time))
      while !batch.isFull {
        let port = Int.random(in: 0..<min(1 << 16, 200 + round * 100), using: &random)
        let isIPv6 = port % 4 == 0
        var packet = isIPv6 ? Packets.udpIPv6 : Packets.udp
        let place = packet.count - 8
        (packet[place], packet[place + 1]) = (UInt8(port >> 8), UInt8(port & 0xff))
        batch.append(packet, at: time)
        account.added[(isIPv6 ? 1 << 16 : 0) | port, default: Sums()].add(1, isIPv6 ? 48 : 28)
      }
      if stage.table.update(batch).isCrowded { stage.take(account) }
      stage.clock.store(time, ordering: .relaxed)
    }
    stage.running.subtract(1, ordering: .relaxed)
  }

  @Test(
    "whatever writers, an expirer, readers and new timeouts do at once, every packet is in one record",
    arguments: [200_000, 3000])
  func everything(maxFlows: Int) throws {
    var configuration = FlowTable.Configuration()
    configuration.maxFlows = maxFlows
    configuration.expiration.inactiveTimeout = .seconds(2)
    configuration.expiration.activeTimeout = .seconds(5)
    let table = try FlowTable(configuration)
    let firstIndex = table.statistics.indexEntries
    let writers = 3
    let stage = Stage(table, writers: writers)
    var threads: [WorkerThread] = []
    for writer in 0..<writers {
      threads.append(
        try WorkerThread(name: "writer \(writer)") { Self.write(stage, number: writer, rounds: 150) })
    }
    threads.append(
      try WorkerThread(name: "expirer") {
        while stage.running.load(ordering: .relaxed) > 0 { stage.take(stage.accounts[writers]) }
      })
    threads.append(
      try WorkerThread(name: "reader") {
        var buffer = FlowRecordBuffer(capacity: 256)
        while stage.running.load(ordering: .relaxed) > 0 {
          let statistics = table.statistics
          precondition(statistics.active <= maxFlows)
          var (visit, more) = (FlowTableVisit(), true)
          while more {
            more = table.copyActive(&visit, into: &buffer)
            for i in 0..<buffer.count { precondition(buffer[i].packets > 0) }
            buffer.removeAll()
          }
          table.prepareMemory()
        }
      })
    threads.append(
      try WorkerThread(name: "timeouts") {
        var random = SplitMix64(state: 9)
        while stage.running.load(ordering: .relaxed) > 0 {
          var expiration = FlowExpiration()
          expiration.inactiveTimeout = .seconds(Int.random(in: 1...4, using: &random))
          expiration.activeTimeout = .seconds(Int.random(in: 2...10, using: &random))
          table.setExpiration(expiration, at: Timestamp(milliseconds: stage.clock.load(ordering: .relaxed)))
          table.forEachStripe { $0.assertInvariants() }
        }
      })
    for thread in threads { thread.join() }
    table.forEachStripe { $0.assertInvariants() }
    stage.take(stage.accounts[writers + 1], everything: true)
    table.forEachStripe { $0.assertInvariants() }

    let statistics = table.statistics
    var (added, taken) = ([Int: Sums](), [Int: Sums]())
    for account in stage.accounts {
      added.add(account.added)
      taken.add(account.taken)
    }
    #expect(statistics.active == 0)
    #expect(added.total.packets == UInt64(writers * 150 * PacketBatch.capacity))
    #expect(taken.total.packets + statistics.lost.packets == added.total.packets)
    #expect(taken.total.octets + statistics.lost.octets == added.total.octets)
    if statistics.lost.flows == 0 { #expect(taken == added) }
    #expect(maxFlows < 200_000 || statistics.indexEntries > firstIndex)
  }
}

extension FlowTableThreadsTests.Sums {
  mutating func add(_ packets: UInt64, _ octets: UInt64) {
    self.packets += packets
    self.octets += octets
  }
}

extension [Int: FlowTableThreadsTests.Sums] {
  fileprivate mutating func add(_ others: Self) {
    for (number, sums) in others { self[number, default: .init()].add(sums.packets, sums.octets) }
  }

  fileprivate var total: FlowTableThreadsTests.Sums {
    values.reduce(into: .init()) { $0.add($1.packets, $1.octets) }
  }
}
