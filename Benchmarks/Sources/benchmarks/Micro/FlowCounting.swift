// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What counts the packets of batches by flow: the table, and the dictionary that it is held against.
protocol FlowCounting: AnyObject {
  func update(_ batch: borrowing PacketBatch)

  /// Takes out the flows that have ended by `now`, or all, and says what they counted. The memory is kept.
  func takeExpired(at now: Timestamp, everything: Bool) -> FlowTotals

  /// What the flows counted that left because there was no room.
  var evicted: FlowTotals { get }
}

/// The timeouts of all benchmarks.
enum Timeouts {
  static let active: Int64 = 300
  static let inactive: Int64 = 60
}

/// ``FlowTable`` as the program uses it: ended flows are taken out when a stripe is crowded.
final class TableCounting: FlowCounting {
  let table: FlowTable
  private var buffer = FlowRecordBuffer()
  private(set) var evicted = FlowTotals()

  /// - Parameters:
  ///   - limit: how many flows there may be; nil is the program's default.
  ///   - hashSeed: nil is the program's default too, random numbers.
  init(limit: Int?, hashSeed: UInt64? = nil) {
    var configuration = FlowTable.Configuration()
    configuration.hashSeed = hashSeed
    if let limit { configuration.maxFlows = limit }
    configuration.expiration.activeTimeout = .seconds(Timeouts.active)
    configuration.expiration.inactiveTimeout = .seconds(Timeouts.inactive)
    table = try! FlowTable(configuration)
  }

  func update(_ batch: borrowing PacketBatch) {
    // Nothing has reached a timeout at the batch's own time: what comes out was evicted.
    if table.update(batch).isCrowded { evicted.add(takeExpired(at: batch[0].time, everything: false)) }
  }

  func takeExpired(at now: Timestamp, everything: Bool) -> FlowTotals {
    var (totals, known) = (FlowTotals(), UInt64(0))
    // A sweep leaves a stripe after a number of visits: as often as there is something.
    repeat {
      known = totals.flows
      var (sweep, more) = (FlowTableSweep(), true)
      while more {
        more = table.takeExpired(at: now, everything: everything, sweep: &sweep, into: &buffer)
        for i in 0..<buffer.count {
          totals.add(FlowTotals(flows: 1, packets: buffer[i].packets, octets: buffer[i].octets))
        }
        buffer.removeAll()
      }
    } while totals.flows > known
    return totals
  }
}

/// ``DictionaryFlows`` for who holds it beside the table.
final class DictionaryCounting: FlowCounting {
  private var flows: DictionaryFlows

  init(limit: Int?) { flows = DictionaryFlows(limit: limit) }

  var evicted: FlowTotals { flows.evicted }

  func update(_ batch: borrowing PacketBatch) { flows.update(batch) }

  func takeExpired(at now: Timestamp, everything: Bool) -> FlowTotals {
    flows.takeExpired(at: now, everything: everything)
  }
}
