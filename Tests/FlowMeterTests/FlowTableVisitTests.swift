// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Looking at the table's flows")
struct FlowTableVisitTests {
  /// UDP from 10.0.0.1 with this number as its two ports.
  private func packet(_ number: Int) -> [UInt8] {
    var packet = Packets.udp
    (packet[20], packet[21]) = (UInt8(number >> 8 & 0xff), UInt8(number & 0xff))
    (packet[22], packet[23]) = (UInt8(number >> 24 & 0xff), UInt8(number >> 16 & 0xff))
    return packet
  }

  private func add(_ numbers: Range<Int>, to table: FlowTable, at milliseconds: Int64 = 1000) {
    var batch = PacketBatch()
    for number in numbers {
      if batch.isFull {
        table.update(batch)
        batch.reset(at: Timestamp(milliseconds: .min))
      }
      batch.append(packet(number), at: milliseconds)
    }
    table.update(batch)
  }

  private func number(_ record: FlowRecord) -> Int {
    Int(record.key.destinationPort) << 16 | Int(record.key.sourcePort)
  }

  /// Visits the table, and lets `meanwhile` do something behind every part.
  private func visit(_ table: FlowTable, meanwhile: (Int) -> Void = { _ in }) -> [Int] {
    var (visit, numbers, round, more) = (FlowTableVisit(), [Int](), 0, true)
    var buffer = FlowRecordBuffer()
    while more {
      more = table.copyActive(&visit, into: &buffer)
      for i in 0..<buffer.count { numbers.append(number(buffer[i])) }
      buffer.removeAll()
      meanwhile(round)
      round += 1
    }
    return numbers
  }

  @Test("a visit meets each active flow once and changes nothing")
  func all() throws {
    let table = try FlowTable()
    #expect(visit(table) == [])
    add(0..<20_000, to: table)
    #expect(visit(table).sorted() == Array(0..<20_000))
    #expect(table.statistics.active == 20_000)
    table.forEachStripe { $0.assertInvariants() }
  }

  @Test("a visit meets the flows that stay once, while others come and the index grows")
  func growing() throws {
    let table = try FlowTable()
    add(0..<3000, to: table)
    let met = visit(table) { round in
      if round < 10 { add(3000 + round * 2000..<5000 + round * 2000, to: table) }
    }
    #expect(Set(met).count == met.count)
    #expect(Set(0..<3000).isSubset(of: met))
  }

  @Test("a visit meets each flow once wherever the growth of the index has come to")
  func everyStepOfGrowth() throws {
    let table = try FlowTable()
    var (count, growing, wrong) = (0, 0, 0)
    // From 256 places a stripe to 1024.
    while count < 9000 {
      add(count..<count + 61, to: table)
      count += 61
      var isGrowing = false
      table.forEachStripe { isGrowing = isGrowing || $0.index.shape.limit != 0 }
      guard isGrowing else { continue }
      growing += 1
      if visit(table).sorted() != Array(0..<count) { wrong += 1 }
    }
    #expect(growing > 10)
    #expect(wrong == 0)
  }

  @Test("a growth that the full table stopped goes on where it was when there are flows again")
  func stoppedGrowth() throws {
    var stopped = 0
    for maxFlows in stride(from: 160, through: 255, by: 5) {
      var configuration = FlowTable.Configuration()
      configuration.maxFlows = maxFlows
      // One stripe: its index grows when five eighths of 256 places are taken.
      let table = try FlowTable(configuration)
      #expect(table.stripeCount == 1)
      add(0..<maxFlows, to: table, at: 1000)
      table.forEachStripe { if $0.index.shape.limit != 0 { stopped += 1 } }
      #expect(visit(table).sorted() == Array(0..<maxFlows))
      // All but a few end, and others come: more than are active now, so that nothing leaves early.
      add(0..<10, to: table, at: 14_000)
      var (sweep, more) = (FlowTableSweep(), true)
      var buffer = FlowRecordBuffer(capacity: 1000)
      while more {
        more = table.takeExpired(at: Timestamp(milliseconds: 17_000), sweep: &sweep, into: &buffer)
        buffer.removeAll()
      }
      #expect(visit(table).sorted() == Array(0..<10))
      add(1000..<1000 + maxFlows - 10, to: table, at: 17_000)
      table.forEachStripe {
        $0.assertInvariants()
        #expect($0.index.shape.limit == 0)
      }
      #expect(visit(table).sorted() == Array(0..<10) + Array(1000..<1000 + maxFlows - 10))
      // Beyond its capacity each new one makes room for itself.
      add(5000..<5500, to: table, at: 17_100)
      table.forEachStripe { $0.assertInvariants() }
      #expect(table.statistics.active == maxFlows)
      #expect(Set(visit(table)).count == maxFlows)
    }
    #expect(stopped > 0)
  }

  @Test("a visit meets the flows that stay once, while others end")
  func shrinking() throws {
    let table = try FlowTable()
    add(0..<10_000, to: table, at: 1000)
    add(10_000..<20_000, to: table, at: 9000)
    var sweep = FlowTableSweep()
    var buffer = FlowRecordBuffer(capacity: 100)
    let met = visit(table) { _ in
      for _ in 0..<5 {
        _ = table.takeExpired(at: Timestamp(milliseconds: 17_000), sweep: &sweep, into: &buffer)
        buffer.removeAll()
      }
    }
    #expect(Set(met).count == met.count)
    #expect(Set(10_000..<20_000).isSubset(of: met))
    #expect(table.statistics.active < 20_000)
  }

  @Test("the buckets of flows lie within the index and differ, and the same flow has the same one")
  func buckets() throws {
    let table = try FlowTable()
    add(0..<5000, to: table)
    let entries = UInt64(table.statistics.indexEntries)
    var record = FlowRecord()
    var buckets: Set<UInt64> = []
    for port in UInt16(0)..<1000 {
      record.key.sourcePort = port
      #expect(table.bucket(of: record) < entries)
      #expect(table.bucket(of: record) == table.bucket(of: record))
      buckets.insert(table.bucket(of: record))
    }
    #expect(buckets.count > 300)
  }
}

@Suite("What the table counts")
struct FlowTableCounterTests {
  @Test("what a batch did is what the table's totals grew by, and what was taken out is counted")
  func update() throws {
    var configuration = FlowTable.Configuration()
    configuration.maxFlows = 2
    let table = try FlowTable(configuration)
    var batch = PacketBatch()
    for _ in 0..<3 { batch.append(Packets.tcp, at: 1000) }
    batch.append(Packets.udp, at: 1000)
    batch.append(Packets.udpIPv6, at: 1000)
    let update = table.update(batch)
    #expect((update.created, update.evicted, update.lost) == (3, 1, FlowTotals()))
    var statistics = table.statistics
    #expect((statistics.active, statistics.waiting, statistics.taken.flows) == (2, 1, 0))
    var sweep = FlowTableSweep()
    var buffer = FlowRecordBuffer()
    _ = table.takeExpired(at: Timestamp(milliseconds: 1000), everything: true, sweep: &sweep, into: &buffer)
    statistics = table.statistics
    #expect((statistics.active, statistics.waiting) == (0, 0))
    #expect((statistics.taken.flows, statistics.taken.packets) == (3, 5))
    #expect(statistics.taken.octets == batch.statistics.meteredOctets)
  }

  @Test("memory is that of the index and of the slots in use, a chunk at a time; details count once there is one")
  func memory() throws {
    let table = try FlowTable()
    // 16 stripes of 256 entries.
    #expect(table.statistics.indexEntries == 4096)
    #expect(table.statistics.memory == 4096 * 8)
    var batch = PacketBatch()
    batch.append(Packets.tcp, at: 1000)
    table.update(batch)
    #expect(table.statistics.memory == 4096 * 8 + 64 * 68)
    var detail = PacketDetail()
    detail.mark = 7
    batch.reset(at: Timestamp(milliseconds: .min))
    batch.append(Packets.udp, at: 1000, detail: detail)
    table.update(batch)
    #expect([1, 2].contains((table.statistics.memory - 4096 * 8) / (64 * 100)))
  }
}
