// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("NAT events on their way")
struct NATEventLogTests {
  private func events(_ ids: ClosedRange<Int>) -> [NATEvent] {
    ids.map { id in
      var connection = NATSample.source
      connection.id = UInt32(id)
      return NATEvent(.create, connection, at: Timestamp(milliseconds: 0))
    }
  }

  @Test("events are taken all, in the order in which they were appended")
  func order() {
    let log = NATEventLog(capacity: 100)
    log.append(events(1...3))
    log.append(events(4...4))
    log.append([])
    var taken: [NATEvent] = []
    log.take(into: &taken)
    #expect(taken.map(\.connection.id) == [1, 2, 3, 4])
    log.append(events(5...6))
    log.take(into: &taken)
    #expect(taken.map(\.connection.id) == [5, 6])
    log.take(into: &taken)
    #expect(taken.isEmpty)
    #expect(log.dropped == 0)
  }

  @Test("what finds no room is dropped and counted, the oldest stay")
  func drops() {
    let log = NATEventLog(capacity: 5)
    #expect(log.room == 5)
    log.append(events(1...3))
    #expect(log.room == 2)
    log.append(events(4...8))
    #expect(log.room == 0)
    #expect(log.dropped == 3)
    log.append(events(9...9))
    #expect(log.dropped == 4)
    var taken: [NATEvent] = []
    log.take(into: &taken)
    #expect(taken.map(\.connection.id) == [1, 2, 3, 4, 5])
    #expect(log.room == 5)
  }

  @Test("who appends is told when the log is half full")
  func crowded() {
    let log = NATEventLog(capacity: 10)
    #expect(log.append(events(1...4)) == false)
    #expect(log.append(events(5...5)))
    #expect(log.append([]))
    var taken: [NATEvent] = []
    log.take(into: &taken)
    #expect(log.append(events(6...6)) == false)
  }

  @Test("two threads that append and one that takes lose nothing, and each one's order stays")
  func threads() throws {
    let log = NATEventLog(capacity: .max)
    let workers = try (0..<2).map { worker in
      try WorkerThread(name: "test \(worker)") {
        for number in 0..<2000 {
          log.append([
            NATEvent(.create, NATSample.numbered(worker * 10_000 + number), at: Timestamp(milliseconds: 0))
          ])
        }
      }
    }
    var (all, taken) = ([UInt32](), [NATEvent]())
    while all.count < 4000 {
      log.take(into: &taken)
      all += taken.map(\.connection.id)
    }
    for worker in workers { worker.join() }
    #expect(all.filter { $0 < 10_000 } == Array(100..<2100))
    #expect(all.filter { $0 >= 10_000 } == Array(10_100..<12_100))
  }
}
