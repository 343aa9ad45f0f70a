// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

/// Packets behind label stacks (RFC 3032 section 2.1: label 20 bits, EXP 3, S 1, TTL 8).
enum Labelled {
  /// An Ethernet frame of a packet behind these entries.
  static func frame(_ entries: String, _ packet: [UInt8]) -> [UInt8] {
    Packets.ethernet + [0x88, 0x47] + Packets.octets(entries) + packet
  }

  /// Labels 16, EXP 5, TTL 63; 17, TTL 64; 1048575, EXP 1, the bottom, TTL 1.
  static let three = "00010a3f 00011040 fffff301"
}

@Suite("MPLS labels of packets")
struct MPLSLabelDecodingTests {
  /// What is decoded of a frame where so many entries are recorded, and the labels, if there are any.
  private func decoded(
    _ frame: [UInt8], recording most: Int, _ linkType: LinkType = .ethernet
  ) -> (key: FlowKey, labels: MPLSLabelStack?, failure: DecodeFailure?) {
    var (observation, labels) = (PacketObservation(), MPLSLabelStack?.none)
    let metadata = CaptureMetadata(
      time: Timestamp(milliseconds: 0), wireLength: frame.count, linkType: linkType)
    do throws(DecodeFailure) {
      _ = unsafe try PacketDecoder(recordedLabels: most).decode(frame.span.bytes, metadata, into: &observation) {
        labels = $0
      }
      return (observation.key, labels, nil)
    } catch {
      return (observation.key, labels, error)
    }
  }

  @Test("entries are recorded from the top, with EXP and S, the TTL of the top one, and how many there are")
  func entries() throws {
    let (key, labels, _) = decoded(Labelled.frame(Labelled.three, Packets.udp), recording: 10)
    let stack = try #require(labels)
    #expect(key.recordedLabels == 3)
    #expect((0..<10).map { stack.section($0) } == [0x00010a, 0x000110, 0xfffff3, 0, 0, 0, 0, 0, 0, 0])
    #expect(stack.topTTL == 63)
    #expect(stack.depth == 3)
    #expect(key.destinationPort == 53)
  }

  @Test("no more entries are recorded than asked for; the depth counts all", arguments: 1...4)
  func most(_ most: Int) throws {
    let (key, labels, _) = decoded(Labelled.frame(Labelled.three, Packets.udpIPv6), recording: most)
    let stack = try #require(labels)
    #expect(Int(key.recordedLabels) == min(3, most))
    #expect((0..<10).map { stack.section($0) == 0 } == (0..<10).map { $0 >= most || $0 >= 3 })
    #expect(stack.depth == 3)
    #expect(key.destinationPort == 2000)
  }

  @Test("where none are asked for, and where there are none, nothing is recorded")
  func none() {
    #expect(decoded(Labelled.frame(Labelled.three, Packets.udp), recording: 0).labels == nil)
    #expect(decoded(Labelled.frame(Labelled.three, Packets.udp), recording: 0).key.recordedLabels == 0)
    #expect(decoded(Packets.ethernet + [8, 0] + Packets.udp, recording: 3).labels == nil)
    #expect(decoded(Packets.udp, recording: 3, .raw).key.recordedLabels == 0)
  }

  @Test(
    "labels are found behind VLAN tags, in PPPoE and in PPP",
    arguments: [
      (LinkType.ethernet, "020000000002020000000001 8100 0064 8848 00010a3f 00011140"),
      (.ethernet, "020000000002020000000001 8864 1100 0001 0026 0281 00010a3f 00011140"),
      (.pppSerial, "ff03 0283 00010a3f 00011140"),
    ])
  func link(linkType: LinkType, header: String) throws {
    let (key, labels, failure) = decoded(Packets.octets(header) + Packets.tcp, recording: 2, linkType)
    let stack = try #require(labels)
    #expect(failure == nil)
    #expect(key.recordedLabels == 2)
    #expect([stack.section(0), stack.section(1), stack.section(2)] == [0x00010a, 0x000111, 0])
    #expect(key.destinationPort == 80)
  }

  @Test("a stack of a thousand entries is counted, and recorded as far as asked for; one without a bottom is cut short")
  func deep() throws {
    let entries = String(repeating: "00010040", count: 999)
    let (key, labels, failure) = decoded(Labelled.frame(entries + "00011140", Packets.udp), recording: 10)
    #expect(failure == nil)
    #expect(key.recordedLabels == 10)
    #expect(try #require(labels).depth == 1000)
    #expect(try #require(labels).section(9) == 0x000100)
    #expect(decoded(Labelled.frame(entries, []), recording: 10).failure == .linkHeaderTruncated)
  }
}

@Suite("MPLS labels in the flow table")
struct MPLSLabelTableTests {
  /// A table that is fed with frames and records `most` labels of each.
  struct Subject: ~Copyable {
    let table: FlowTable
    private var batch: PacketBatch

    init(recording most: Int = 3, maxFlows: Int = 10_000) throws {
      var configuration = FlowTable.Configuration()
      (configuration.maxFlows, configuration.hashSeed) = (maxFlows, 1)
      table = try FlowTable(configuration)
      batch = PacketBatch(recordedLabels: most, hashSeed: 1)
    }

    mutating func add(_ frames: [[UInt8]], at milliseconds: Int64 = 0) {
      batch.reset(at: Timestamp(milliseconds: milliseconds))
      for frame in frames {
        let time = Timestamp(milliseconds: milliseconds)
        let metadata = CaptureMetadata(time: time, wireLength: frame.count, linkType: .ethernet)
        unsafe batch.append(frame.span.bytes, metadata)
      }
      table.update(batch)
      table.forEachStripe { $0.assertInvariants() }
    }

    /// Flows by time and top label: all, or those that have left.
    func take(everything: Bool = true) -> [FlowRecord] {
      var (sweep, more, records) = (FlowTableSweep(), true, [FlowRecord]())
      var buffer = FlowRecordBuffer()
      while more {
        more = table.takeExpired(
          at: Timestamp(milliseconds: 0), everything: everything, sweep: &sweep, into: &buffer)
        for i in 0..<buffer.count { records.append(buffer[i]) }
        buffer.removeAll()
      }
      return records.sorted { ($0.start, $0.labels.section(0)) < ($1.start, $1.labels.section(0)) }
    }
  }

  private static let packets = [Packets.udp, Packets.udpIPv6]

  @Test("packets that differ in a label alone are two flows, whichever it is", arguments: packets)
  func paths(packet: [UInt8]) throws {
    var subject = try Subject()
    let stacks = [
      "00010a3f 00011040 fffff301", "00020a3f 00011040 fffff301", "00010a3f 00012040 fffff301",
      "00010a3f 00011040 ffffe301", "00011b3f",
    ]
    for stack in stacks + stacks { subject.add([Labelled.frame(stack, packet)]) }
    subject.add([Packets.ethernet + (packet[0] >> 4 == 4 ? [0x08, 0] : [0x86, 0xdd]) + packet])
    let records = subject.take()
    #expect(records.map(\.packets).sorted() == [1, 2, 2, 2, 2, 2])
    #expect(records.map(\.key.recordedLabels).sorted() == [0, 1, 3, 3, 3, 3])
  }

  @Test("EXP and TTL, which vary along a path, are those of the first packet", arguments: packets)
  func first(packet: [UInt8]) throws {
    var subject = try Subject()
    subject.add([Labelled.frame("00010a3f 00011140", packet)])
    subject.add([Labelled.frame("00010240 00011f01", packet), Labelled.frame("00010000 00011100", packet)])
    let record = try #require(subject.take().first)
    #expect(record.packets == 3)
    #expect([record.labels.section(0), record.labels.section(1)] == [0x00010a, 0x000111])
    #expect(record.labels.topTTL == 63)
    #expect(record.labels.depth == 2)
  }

  @Test("a label that is not recorded tells no flows apart; the bottom's S bit does")
  func deeper() throws {
    var subject = try Subject(recording: 2)
    for stack in ["00010040 00011040 00012140", "00010040 00011040 00013140", "00010040 00011040 00012040 00013140"] {
      subject.add([Labelled.frame(stack, Packets.udp)])
    }
    subject.add([Labelled.frame("00010040 00011140", Packets.udp)])
    #expect(subject.take().map(\.packets).sorted() == [1, 3])
  }

  @Test("labels are compared, not their hash: of any pair of words the labels and S bits, and nothing else")
  func comparison() {
    func stack(_ place: Int, _ entry: UInt32) -> MPLSLabelStack {
      let octets = (0..<10).flatMap { i in
        (0..<4).map { UInt8(truncatingIfNeeded: (i == place ? entry : 0) >> UInt32(24 - 8 * $0)) }
      }
      return unsafe MPLSLabelStack(octets.span.bytes, at: 0, depth: 10, recorded: 10)
    }
    for place in 0..<10 {
      #expect(stack(place, 0x0000_0eff).isSamePath(as: MPLSLabelStack()))
      for bit in [8] + Array(12...31) as [UInt32] {
        #expect(!stack(place, 1 << bit).isSamePath(as: MPLSLabelStack()), "bit \(bit) of entry \(place)")
      }
    }
  }

  @Test("a record that follows the active timeout has the labels of its path, and EXP and TTL of its own first packet")
  func activeTimeout() throws {
    var subject = try Subject()
    subject.add([Labelled.frame("00010a3f 00011140", Packets.udp)])
    for second in stride(from: 10, through: 60, by: 10) as StrideThrough<Int64> {
      subject.add([Labelled.frame("0001043e 00011140", Packets.udp)], at: second * 1000)
    }
    let records = subject.take()
    #expect(records.map(\.packets) == [6, 1])
    #expect(records.map { $0.labels.section(0) } == [0x00010a, 0x000104])
    #expect(records.map(\.labels.topTTL) == [63, 62])
  }

  @Test("every flow keeps its labels while the table grows, and when it is full", arguments: [20_000, 300])
  func growth(maxFlows: Int) throws {
    var subject = try Subject(maxFlows: maxFlows)
    var records: [FlowRecord] = []
    for start in stride(from: 1, to: 5000, by: 100) {
      subject.add(
        (start..<start + 100).map { number in
          let label = String(number + 0x10000, radix: 16)
          var packet = Self.packets[number % 2]
          let port = packet.count - 8
          (packet[port], packet[port + 1]) = (UInt8(number >> 8), UInt8(number & 0xff))
          return Labelled.frame("\(label)13f", packet)
        })
      records += subject.take(everything: false)
    }
    #expect(records.isEmpty == (maxFlows > 5000))
    records += subject.take()
    #expect(records.count == 5000)
    #expect(records.allSatisfy { $0.labels.section(0) == (0x10000 + UInt32($0.key.sourcePort)) << 4 | 1 })
    #expect(Set(records.map(\.key.sourcePort)).count == 5000)
  }

  @Test("slots are as they were, and memory for labels is used where there are some")
  func memory() throws {
    #expect(MemoryLayout<FlowKey>.size == 48)
    #expect(MemoryLayout<FlowSlot>.size == 64)
    #expect(MemoryLayout<FlowSlotIPv6>.size == 96)
    #expect(MemoryLayout<MPLSLabelStack>.stride == 48)
    var subject = try Subject()
    subject.add([Packets.ethernet + [0x08, 0] + Packets.udp])
    let without = subject.table.statistics.memory
    subject.add([Labelled.frame(Labelled.three, Packets.udp)])
    let chunks = (subject.table.statistics.memory - without) / 64
    // Of one stripe's chunk of slots, or of two.
    #expect([48, 48 * 2 + 68].contains(chunks))
  }
}

@Suite("MPLS labels of sampled packets")
struct MPLSLabelSamplingTests {
  @Test("packets that are left stay with their labels, and those of a flow stay together")
  func selected() {
    var batch = PacketBatch(recordedLabels: 1, hashSeed: 1)
    for number in 0..<120 as Range<UInt8> {
      var packet = Packets.udp
      packet[21] = number % 60
      let frame = Labelled.frame("000\(number % 60 + 16)140", packet)
      let metadata = CaptureMetadata(
        time: Timestamp(milliseconds: 0), wireLength: frame.count, linkType: .ethernet)
      unsafe batch.append(frame.span.bytes, metadata)
    }
    batch.keep(KeySelector(interval: 3, seed: 1))
    #expect((10...70).contains(batch.count))
    var packets: [UInt16: Int] = [:]
    for i in 0..<batch.count {
      let number = batch[i].key.sourcePort & 0xff
      #expect(batch.packets[i].labels.section(0) == UInt32("\(number + 16)1", radix: 16))
      packets[number, default: 0] += 1
    }
    #expect(packets.values.allSatisfy { $0 == 2 })
  }
}

@Suite("MPLS labels of fragments")
struct MPLSLabelFragmentTests {
  private func append(_ frame: [UInt8], to batch: inout PacketBatch) {
    let metadata = CaptureMetadata(
      time: Timestamp(milliseconds: 0), wireLength: frame.count, linkType: .ethernet)
    unsafe batch.append(frame.span.bytes, metadata)
  }

  @Test("datagrams of two paths that agree in everything else are not taken for one, in any order")
  func paths() {
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
      var batch = PacketBatch(recordedLabels: 3)
      var other = FragmentTests.fragments()
      (other[0][22], other[0][23]) = (0x0b, 0xb8)  // to port 3000
      for index in order {
        append(Labelled.frame("00010140", FragmentTests.fragments()[index]), to: &batch)
        append(Labelled.frame("00011140", other[index]), to: &batch)
      }
      for i in 0..<batch.count {
        let port: UInt16 = batch.packets[i].labels.section(0) == 0x000101 ? 2000 : 3000
        #expect(batch[i].key.destinationPort == port)
        #expect(batch[i].key.recordedLabels == 1)
      }
      #expect(batch.count == 6)
    }
  }

  @Test("a fragment that waits keeps its labels, also where its first one never comes")
  func orphan() {
    var batch = PacketBatch(recordedLabels: 3)
    append(Labelled.frame("00010140", FragmentTests.fragments()[1]), to: &batch)
    append(Labelled.frame("00011140", FragmentTests.fragments()[2]), to: &batch)
    #expect(batch.count == 0)
    batch.reset(at: nil)
    #expect((0..<batch.count).map { batch.packets[$0].labels.section(0) } == [0x000101, 0x000111])
  }
}
