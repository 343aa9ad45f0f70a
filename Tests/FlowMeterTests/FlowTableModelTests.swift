// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("The flow table against a plain dictionary")
struct FlowTableModelTests {
  /// What the table should do, in the plainest way: a dictionary from key to the record that grows.
  struct Model {
    /// What a Flow is kept by.
    struct Key: Hashable {
      var key: FlowKey
      /// Label and S bit of each recorded entry.
      var labels: [UInt32]

      init(_ key: FlowKey, _ labels: MPLSLabelStack) {
        self.key = key
        self.labels = (0..<Int(key.recordedLabels)).map { labels.section($0) & 0xffff_fff1 }
      }
    }

    struct Flow: Equatable {
      var packets: UInt64
      var octets: UInt64
      var start: Int64
      var end: Int64
      var detail: PacketDetail
    }

    var (active, inactive): (Int64, Int64)
    var flows: [Key: Flow] = [:]
    var ended: [Key: [Flow]] = [:]

    mutating func add(_ observation: PacketObservation, _ labels: MPLSLabelStack, _ detail: PacketDetail) {
      let (time, octets) = (observation.time.milliseconds, UInt64(observation.octets))
      let key = Key(observation.key, labels)
      if var flow = flows[key] {
        if time < flow.start + active, time < flow.end + inactive {
          flow.packets += 1
          flow.octets += octets
          flow.end = max(flow.end, time)
          flows[key] = flow
          return
        }
        ended[key, default: []].append(flow)
      }
      flows[key] = Flow(packets: 1, octets: octets, start: time, end: time, detail: detail)
    }

    mutating func end(at now: Int64) {
      for (key, flow) in flows where min(flow.start + active, flow.end + inactive) <= now {
        ended[key, default: []].append(flow)
        flows[key] = nil
      }
    }

    mutating func endAll() {
      for (key, flow) in flows { ended[key, default: []].append(flow) }
      flows = [:]
    }
  }

  @Test(
    "any sequence of packets, takings and new timeouts gives the same records",
    arguments: [(1, 40, 2), (2, 1000, 200), (3, 5000, 3000), (4, 20_000, 60_000)] as [(UInt64, Int, Int64)])
  func random(seed: UInt64, keys: Int, longestPause: Int64) throws {
    var random = SplitMix64(state: seed)
    var subject = try TableUnderTest(active: 20, inactive: 5, maxFlows: 100_000, recordedLabels: 3)
    var model = Model(active: 20_000, inactive: 5_000)
    var records: [FlowRecord] = []
    var (now, details) = (Int64(1_700_000_000_000), UInt32(0))
    for _ in 0..<150 {
      var packets: [(packet: [UInt8], milliseconds: Int64, detail: PacketDetail?)] = []
      for _ in 0..<Int.random(in: 1...PacketBatch.capacity, using: &random) {
        let number = Int.random(in: 0..<keys, using: &random)
        var packet = number % 3 == 0 ? Packets.udpIPv6 : Packets.udp
        let port = packet.count - 8
        (packet[port], packet[port + 1]) = (UInt8(number >> 8 & 0xff), UInt8(number & 0xff))
        packet = Self.linkHeader(before: packet, &random) + packet
        now += Int64.random(in: 0...longestPause, using: &random) / 64
        // Every other packet has a detail, by which it can be told from the others.
        details += 1
        let detail = Bool.random(using: &random) ? PacketDetail.numbered(details) : nil
        packets.append((packet, now, detail))
        let (observation, labels) = Self.decoded(packet, at: now)
        model.add(observation, labels, detail ?? PacketDetail())
      }
      subject.add(packets, .ppp)
      now += Int64.random(in: 0...longestPause, using: &random)
      if Bool.random(using: &random) { records += subject.take(at: now, bufferCapacity: 64) }
      guard Int.random(in: 0..<16, using: &random) == 0 else { continue }
      // What has ended by the old timeouts is taken: at the end of a tick, when the table sees all of it.
      now |= (1 << FlowWheel.tickShift) - 1
      records += subject.take(at: now + 1, bufferCapacity: 64)
      model.end(at: now)
      var expiration = FlowExpiration()
      expiration.activeTimeout = .seconds(Int.random(in: 1...100, using: &random))
      expiration.inactiveTimeout = .seconds(Int.random(in: 1...60, using: &random))
      subject.table.setExpiration(expiration, at: Timestamp(milliseconds: now))
      (model.active, model.inactive) = (expiration.activeTimeout.milliseconds, expiration.inactiveTimeout.milliseconds)
    }
    records += subject.take(at: now, everything: true, bufferCapacity: 64)
    model.endAll()

    var seen: [Model.Key: [Model.Flow]] = [:]
    for record in records {
      seen[Model.Key(record.key, record.labels), default: []].append(
        Model.Flow(
          packets: record.packets, octets: record.octets, start: record.start.milliseconds,
          end: record.end.milliseconds, detail: record.detail))
    }
    for key in seen.keys { seen[key]?.sort { $0.start < $1.start } }
    #expect(seen == model.ended)
  }

  /// PPP of IP, or of MPLS with up to four entries of few labels and any EXP and TTL.
  private static func linkHeader(before packet: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    let depth = max(0, Int.random(in: -3...4, using: &random))
    let entries = (0..<depth).flatMap { place in
      let traffic = UInt8.random(in: 0...7, using: &random) << 1 | (place == depth - 1 ? 1 : 0)
      return [0, 1, UInt8.random(in: 0...1, using: &random) << 4 | traffic, UInt8.random(in: 0...255, using: &random)]
    }
    return depth == 0 ? [0x00, packet[0] >> 4 == 4 ? 0x21 : 0x57] : [0x02, 0x81] + entries
  }

  private static func decoded(_ packet: [UInt8], at time: Int64) -> (PacketObservation, MPLSLabelStack) {
    var (observation, labels) = (PacketObservation(), MPLSLabelStack())
    let metadata = CaptureMetadata(
      time: Timestamp(milliseconds: time), wireLength: packet.count, linkType: .ppp)
    _ = unsafe try? PacketDecoder(recordedLabels: 3).decode(packet.span.bytes, metadata, into: &observation) {
      labels = $0
    }
    return (observation, labels)
  }

  @Test("two threads that add and one that takes lose nothing")
  func threads() throws {
    let table = try FlowTable()
    let rounds = 300
    let workers = try (0..<2).map { worker in
      try WorkerThread(name: "test \(worker)") {
        var random = SplitMix64(state: UInt64(worker))
        var batch = PacketBatch()
        for round in 0..<rounds {
          batch.reset(at: Timestamp(milliseconds: 0))
          while !batch.isFull {
            var packet = Packets.udp
            (packet[20], packet[21]) = (
              UInt8.random(in: 0...7, using: &random), UInt8.random(in: 0...255, using: &random)
            )
            batch.append(packet, at: Int64(round) * 200)
          }
          table.update(batch)
        }
      }
    }
    var packets: UInt64 = 0
    var buffer = FlowRecordBuffer()
    func take(at milliseconds: Int64, everything: Bool) {
      var (sweep, more) = (FlowTableSweep(), true)
      while more {
        more = table.takeExpired(
          at: Timestamp(milliseconds: milliseconds), everything: everything, sweep: &sweep, into: &buffer)
        for i in 0..<buffer.count { packets += buffer[i].packets }
        buffer.removeAll()
      }
    }
    for round in 0..<rounds { take(at: Int64(round) * 200, everything: round % 50 == 0) }
    for worker in workers { worker.join() }
    table.forEachStripe { $0.assertInvariants() }
    take(at: 0, everything: true)
    #expect(packets + table.statistics.lost.packets == UInt64(2 * rounds * PacketBatch.capacity))
    #expect(table.statistics.active == 0)
  }
}
