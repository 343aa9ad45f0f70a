// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

/// A table with the means to feed it and to take from it.
struct TableUnderTest: ~Copyable {
  let table: FlowTable
  private var batch: PacketBatch

  init(active: Int = 60, inactive: Int = 15, maxFlows: Int = 10_000, recordedLabels: Int = 0) throws {
    var configuration = FlowTable.Configuration()
    configuration.expiration.activeTimeout = .seconds(active)
    configuration.expiration.inactiveTimeout = .seconds(inactive)
    configuration.maxFlows = maxFlows
    try self.init(configuration, recordedLabels: recordedLabels)
  }

  init(_ configuration: FlowTable.Configuration, recordedLabels: Int = 0) throws {
    table = try FlowTable(configuration)
    batch = PacketBatch(recordedLabels: recordedLabels)
  }

  mutating func add(
    _ packet: [UInt8], at milliseconds: Int64, direction: FlowDirection? = nil, detail: PacketDetail? = nil
  ) {
    batch.reset(at: Timestamp(milliseconds: milliseconds))
    batch.append(packet, at: milliseconds, direction: direction, detail: detail)
    table.update(batch)
    table.forEachStripe { $0.assertInvariants() }
  }

  /// Adds a packet without looking at every invariant.
  mutating func addUnchecked(_ packet: [UInt8], at milliseconds: Int64) {
    batch.reset(at: Timestamp(milliseconds: milliseconds))
    batch.append(packet, at: milliseconds)
    table.update(batch)
  }

  /// Adds several packets as one batch.
  mutating func add(
    _ packets: [(packet: [UInt8], milliseconds: Int64, detail: PacketDetail?)], _ linkType: LinkType = .raw
  ) {
    batch.reset(at: Timestamp(milliseconds: .min))
    for (packet, milliseconds, detail) in packets { batch.append(packet, linkType, at: milliseconds, detail: detail) }
    table.update(batch)
    table.forEachStripe { $0.assertInvariants() }
  }

  func take(at milliseconds: Int64, everything: Bool = false, bufferCapacity: Int = 7) -> [FlowRecord] {
    var (sweep, more, records) = (FlowTableSweep(), true, [FlowRecord]())
    var buffer = FlowRecordBuffer(capacity: bufferCapacity)
    while more {
      more = table.takeExpired(
        at: Timestamp(milliseconds: milliseconds), everything: everything, sweep: &sweep, into: &buffer)
      for i in 0..<buffer.count { records.append(buffer[i]) }
      buffer.removeAll()
    }
    table.forEachStripe { $0.assertInvariants() }
    return records
  }
}

@Suite("The flow table")
struct FlowTableTests {
  @Test("a shorter timeout ends the flows that are silent already, a longer one keeps them")
  func newTimeouts() throws {
    var subject = try TableUnderTest(active: 60, inactive: 30)
    subject.add(Packets.udp, at: 1_000_000)
    #expect(subject.take(at: 1_010_000).isEmpty)
    var expiration = FlowExpiration()
    expiration.inactiveTimeout = .seconds(5)
    subject.table.setExpiration(expiration, at: Timestamp(milliseconds: 1_010_000))
    #expect(subject.take(at: 1_010_000).map(\.endReason) == [.idleTimeout])
    subject.add(Packets.udp, at: 1_020_000)
    expiration.inactiveTimeout = .seconds(3600)
    expiration.activeTimeout = .seconds(7200)
    subject.table.setExpiration(expiration, at: Timestamp(milliseconds: 1_020_000))
    #expect(subject.take(at: 4_610_000).isEmpty)
    #expect(subject.take(at: 4_621_000).map(\.endReason) == [.idleTimeout])
  }

  @Test("long timeouts that become others are kept for each flow, however far apart their ends are")
  func longTimeouts() throws {
    var subject = try TableUnderTest(active: 3600, inactive: 3600)
    let times = (1...19).map { Int64($0) * 90_000 }
    for (port, time) in times.enumerated() { subject.add(Packets.udp(port: port), at: time) }
    var expiration = FlowExpiration()
    (expiration.activeTimeout, expiration.inactiveTimeout) = (.seconds(1800), .seconds(1800))
    subject.table.setExpiration(expiration, at: Timestamp(milliseconds: 1_720_000))
    for time in times {
      #expect(subject.take(at: time + 1_799_000).isEmpty)
      #expect(subject.take(at: time + 1_801_000).map(\.start.milliseconds) == [time])
    }
  }

  /// A TCP segment with these control bits.
  static func tcp(_ bits: UInt8) -> [UInt8] {
    var packet = Packets.tcp
    packet[33] = bits
    return packet
  }

  @Test("the memory of a full table is known before: all that it may hold, and no less than it takes")
  func mostMemory() throws {
    var configuration = FlowTable.Configuration()
    // 16 stripes of 262 144 entries, and of 125 000 active and 15 625 ended Flows of 68, 100, 132 or 180 octets each.
    #expect(FlowTable.mostMemory(configuration, .v4, hasDetails: false) == 186_554_432)
    #expect(FlowTable.mostMemory(configuration, .v6, hasDetails: false) == 258_554_432)
    #expect(FlowTable.mostMemory(configuration, .v6, hasDetails: true) == 330_554_432)
    #expect(FlowTable.mostMemory(configuration, .v6, hasDetails: true, hasLabels: true) == 438_554_432)
    configuration.maxFlows = 3000
    let table = try FlowTable(configuration)
    var batch = PacketBatch()
    for port in 0..<UInt16(3000) {
      var packet = Packets.udp
      (packet[20], packet[21]) = (UInt8(port >> 8), UInt8(port & 0xff))
      if batch.count == PacketBatch.capacity {
        table.update(batch)
        batch.reset(at: Timestamp(milliseconds: 1))
      }
      batch.append(packet, at: 1)
    }
    table.update(batch)
    let most = FlowTable.mostMemory(configuration, .v4, hasDetails: false)
    #expect(table.statistics.memory > most / 4)
    #expect(table.statistics.memory <= most)
  }

  @Test("a slot is one cache line, an IPv6 slot one and a half, a key 48 octets")
  func layout() {
    #expect(MemoryLayout<FlowSlot>.stride == 64)
    #expect(MemoryLayout<FlowSlotIPv6>.stride == 96)
    #expect(MemoryLayout<FlowKey>.stride == 48)
  }

  @Test("shorter timeouts hold at once, also where evictions from a full table have looked far ahead")
  func shorterTimeoutsAfterEvictions() throws {
    var configuration = FlowTable.Configuration()
    configuration.maxFlows = 256
    configuration.expiration.activeTimeout = .seconds(3600)
    configuration.expiration.inactiveTimeout = .seconds(3600)
    var subject = try TableUnderTest(configuration)
    for port in 0..<300 {
      subject.addUnchecked(Packets.udp(port: port), at: 1000)
    }
    #expect(subject.take(at: 1000).count == 44)
    var shorter = FlowExpiration()
    (shorter.activeTimeout, shorter.inactiveTimeout) = (.seconds(3600), .seconds(5))
    subject.table.setExpiration(shorter, at: Timestamp(milliseconds: 1000))
    #expect(subject.take(at: 2000).isEmpty)
    subject.add(Self.tcp(0x02), at: 2000)
    #expect(subject.take(at: 6500).count == 256)
    #expect(subject.take(at: 7500).count == 1)
  }

  @Test("a sweep with a small buffer takes all that has ended")
  func smallBuffer() throws {
    var configuration = FlowTable.Configuration()
    configuration.maxFlows = 16 * 1024
    var subject = try TableUnderTest(configuration)
    for number in 0..<15_000 {
      subject.addUnchecked(Packets.udp(port: number), at: 1000)
    }
    #expect(subject.take(at: 1000, everything: true, bufferCapacity: 1).count == 15_000)
    #expect(subject.table.statistics.active == 0)
  }

  @Test("the index starts with as many entries as asked for, at most with what the flows need, and grows all the same")
  func indexSize() throws {
    for (size, expected) in [(0, 256), (16 * 1000, 1024), (1 << 30, 16_384)] {
      var configuration = FlowTable.Configuration()
      (configuration.maxFlows, configuration.indexSize) = (100_000, size)
      var subject = try TableUnderTest(configuration)
      subject.table.forEachStripe { #expect($0.index.length == expected) }
      for port in 0..<5000 {
        let packet = Packets.udp(port: port)
        if port % 1000 == 999 { subject.add(packet, at: 0) } else { subject.addUnchecked(packet, at: 0) }
      }
      #expect(subject.table.statistics.active == 5000)
    }
  }

  @Test("packets of one key are one flow, with their sums, times and control bits")
  func sums() throws {
    var subject = try TableUnderTest()
    subject.add(Self.tcp(0x02), at: 1000)
    subject.add(Self.tcp(0x18), at: 3500)
    let records = subject.take(at: 3500, everything: true)
    let record = try #require(records.first)
    #expect(records.count == 1)
    #expect(record.packets == 2)
    #expect(record.octets == 80)
    #expect(record.start == Timestamp(milliseconds: 1000))
    #expect(record.end == Timestamp(milliseconds: 3500))
    #expect(record.tcpControlBits == 0x1a)
    #expect(record.key.source.text(.v4) == "192.0.2.1")
    #expect(record.endReason == .forcedEnd)
  }

  @Test("an IPv6 flow keeps its addresses and flow label")
  func ipv6() throws {
    var subject = try TableUnderTest()
    subject.add(Packets.udpIPv6, at: 0)
    subject.add(Packets.udpIPv6, at: 1)
    let record = try #require(subject.take(at: 1, everything: true).first)
    #expect(record.packets == 2)
    #expect(record.key.source.text(.v6) == "2001:db8::1")
    #expect(record.key.destination.text(.v6) == "2001:db8::2")
    #expect(record.flowLabel == 0xabcde)
  }

  @Test("every part of the key tells flows apart")
  func key() {
    let changes: [(inout PacketObservation) -> Void] = [
      { _ in }, { $0.key.source = IPAddress(IPv4Octets(storage: 9)) },
      { $0.key.destination = IPAddress(IPv4Octets(storage: 9)) }, { $0.key.sourcePort += 1 },
      { $0.key.destinationPort += 1 }, { $0.key.protocol = .udp }, { $0.key.classOfService = 1 },
      { $0.key.ingressInterface = 1 }, { $0.key.outerTag = 1 }, { $0.key.innerTag = 1 },
      { $0.key.recordedLabels = 1 },
    ]
    let hash = KeyHash()
    var hashes: Set<UInt64> = []
    for change in changes {
      var observation = decode(Packets.tcp).observation
      change(&observation)
      hashes.insert(hash.hash(observation.key, MPLSLabelStack()))
    }
    #expect(hashes.count == changes.count)
  }

  @Test("a flow idle for the inactive timeout ends with idleTimeout, within a second and not before")
  func idle() throws {
    var subject = try TableUnderTest()
    subject.add(Packets.udp, at: 1000)
    #expect(subject.take(at: 15_999).isEmpty)
    let record = try #require(subject.take(at: 17_000).first)
    #expect(record.endReason == .idleTimeout)
    #expect(subject.table.statistics.active == 0)
  }

  @Test("a TCP flow idle after FIN or RST ends with endOfFlowDetected", arguments: [UInt8(0x11), 0x14])
  func endOfFlow(bits: UInt8) throws {
    var subject = try TableUnderTest()
    subject.add(Self.tcp(0x02), at: 0)
    subject.add(Self.tcp(bits), at: 10)
    #expect(try #require(subject.take(at: 16_010).first).endReason == .endOfFlowDetected)
  }

  @Test("a flow that goes on is reported at the active timeout with what came since the last report")
  func active() throws {
    var subject = try TableUnderTest()
    var records: [FlowRecord] = []
    for second in 0..<150 {
      subject.add(Packets.udp, at: Int64(second) * 1000)
      records += subject.take(at: Int64(second) * 1000)
    }
    records += subject.take(at: 149_000, everything: true)
    #expect(records.map(\.packets) == [60, 60, 30])
    #expect(records.map(\.endReason) == [.activeTimeout, .activeTimeout, .forcedEnd])
    #expect(records.map(\.start.milliseconds) == [0, 60_000, 120_000])
    #expect(records.map(\.end.milliseconds) == [59_000, 119_000, 149_000])
  }

  @Test("a quiet flow past the active timeout leaves on time")
  func quietActive() throws {
    var subject = try TableUnderTest(active: 20, inactive: 15)
    subject.add(Packets.udp, at: 0)
    subject.add(Packets.udp, at: 14_000)
    #expect(subject.take(at: 19_999).isEmpty)
    #expect(try #require(subject.take(at: 21_000).first).endReason == .activeTimeout)
  }

  @Test("records depend on the packets' times, not on when somebody looked", arguments: [1, 7, 1000])
  func cadence(step: Int) throws {
    var subject = try TableUnderTest()
    var records: [FlowRecord] = []
    let times: [Int64] = [0, 5_000, 20_000, 34_999, 50_000, 79_999, 95_000, 400_000]
    for (i, time) in times.enumerated() {
      subject.add(Packets.udp, at: time)
      if i % step == 0 { records += subject.take(at: time) }
    }
    records += subject.take(at: 400_000, everything: true)
    records.sort { $0.start < $1.start }
    #expect(records.map(\.start.milliseconds) == [0, 20_000, 50_000, 79_999, 95_000, 400_000])
    #expect(records.map(\.packets) == [2, 2, 1, 1, 1, 1])
  }

  @Test("packets out of order belong to their flow and move its first packet back")
  func outOfOrder() throws {
    var subject = try TableUnderTest()
    subject.add(Packets.udp, at: 10_000)
    subject.add(Packets.udp, at: 9_000)
    subject.add(Packets.udp, at: 9_500)
    let record = try #require(subject.take(at: 10_000, everything: true).first)
    #expect(record.packets == 3)
    #expect(record.start == Timestamp(milliseconds: 9_000))
    #expect(record.end == Timestamp(milliseconds: 10_000))
  }

  @Test(
    "jumps of time forwards and backwards lose nothing",
    arguments: [[0, 4_000_000_000_000, 100], [1_700_000_000_000, 0, 1_700_000_000_000], [5, 4, 3, -1_000_000]])
  func jumps(times: [Int64]) throws {
    var subject = try TableUnderTest()
    var records: [FlowRecord] = []
    var latest = Int64.min
    for time in times {
      subject.add(Packets.udp, at: time)
      subject.add(Packets.udpIPv6, at: time)
      latest = max(latest, time)
      records += subject.take(at: latest)
    }
    records += subject.take(at: latest, everything: true)
    #expect(records.reduce(0) { $0 + $1.packets } == UInt64(times.count * 2))
    #expect(subject.table.statistics.active == 0)
  }

  @Test("at the cap the flow nearest to its end leaves early with lackOfResources, and no packet is lost")
  func cap() throws {
    var subject = try TableUnderTest(maxFlows: 100)
    let base = Packets.ipv4(protocol: 17, [0, 0, 0, 9, 0, 8, 0, 0])
    for i in 0..<250 {
      var packet = base
      (packet[20], packet[21]) = (UInt8(i >> 8), UInt8(i & 0xff))
      subject.add(packet, at: Int64(i) * 20)
      // An old flow that goes on is not the one to leave.
      if i % 10 == 0 { subject.add(Packets.udp, at: Int64(i) * 20) }
      #expect(subject.table.statistics.active <= 100)
    }
    let records = subject.take(at: 5000, everything: true)
    #expect(records.reduce(0) { $0 + $1.packets } == 275)
    #expect(records.filter { $0.endReason == .lackOfResources }.count == 151)
    #expect(records.filter { $0.key.destinationPort == 53 }.map(\.packets) == [25])
    #expect(subject.table.statistics.evicted == 151)
  }

  @Test("ended flows that nobody takes are dropped at a bound, and counted")
  func patience() throws {
    var subject = try TableUnderTest(maxFlows: 1)
    for i in 0..<3000 { subject.add(Packets.udp(port: i), at: Int64(i)) }
    let lost = subject.table.statistics.lost
    let records = subject.take(at: 3000, everything: true)
    #expect(lost.packets > 0)
    #expect(UInt64(records.count) + lost.packets == 3000)
    #expect(lost.octets == lost.packets * 28)
  }
}
