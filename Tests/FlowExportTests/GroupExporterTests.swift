// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("Groups of Collectors")
struct GroupExporterTests {
  /// A group on the loopback interface, and who listens to its members.
  private struct Scene {
    let receivers: [LoopbackReceiver]
    let exporter: EntryExporter
    /// What each member has received.
    var collectors: [WireCollector]
    private var messages: [UInt64]

    init(_ mode: DestinationGroup.Mode, _ count: Int, _ change: (inout ExportConfiguration) -> Void = { _ in }) throws {
      var configuration = ExportConfiguration()
      configuration.exportRate = 0
      change(&configuration)
      receivers = try (0..<count).map { _ in try #require(LoopbackReceiver(.v4)) }
      let members = try receivers.map {
        ExportDestination(try CollectorAddress("127.0.0.1:\($0.address.port)"), configuration)
      }
      exporter = EntryExporter(.group(DestinationGroup(mode, members))) {
        CollectorExporter(to: $0, number: 0, context: { ExporterContext() }, report: { _ in })
      }
      collectors = members.map { _ in WireCollector() }
      messages = members.map { _ in 0 }
    }

    func pass(_ records: [FlowRecord], _ events: [NATEvent] = []) {
      let consumer = exporter.consumer
      consumer.begin(at: Sample.instant)
      for start in stride(from: 0, to: records.count, by: 256) {
        withBuffer(Array(records[start..<min(start + 256, records.count)])) {
          consumer.consume($0, at: Sample.instant)
        }
      }
      consumer.consume(events, at: Sample.instant)
      consumer.flush(at: Sample.instant)
    }

    /// Has the collectors read what the statistics say was sent.
    mutating func collect(from places: Range<Int>? = nil) {
      for place in places ?? exporter.exporters.indices {
        let member = exporter.exporters[place]
        let sent = member.statistics.messages
        for message in receivers[place].receive(Int(sent - messages[place])) { collectors[place].take(message) }
        messages[place] = sent
      }
    }

    var sent: [UInt64] { exporter.exporters.map(\.statistics.sent.flows) }
    var inUse: [Bool] { exporter.exporters.map(\.statistics.isInUse) }
  }

  private func record(_ port: UInt16, back: Bool = false) -> FlowRecord {
    var record = Sample.tcp
    record.key.sourcePort = port
    if back {
      (record.key.source, record.key.destination) = (record.key.destination, record.key.source)
      (record.key.sourcePort, record.key.destinationPort) = (record.key.destinationPort, record.key.sourcePort)
    }
    return record
  }

  @Test("by hash both directions and the events of a conversation go to one member, and each record to one")
  func hash() throws {
    var scene = try Scene(.hash, 3) { $0.records = [.flows, .natEvents] }
    let ports = 1...700 as ClosedRange<UInt16>
    scene.pass(ports.map { record($0) })
    let forth = scene.sent
    #expect(forth.reduce(0, +) == 700)
    #expect(forth.allSatisfy { $0 > 150 })
    scene.pass(ports.map { record($0, back: true) })
    #expect(scene.sent == forth.map { $0 * 2 })
    let events = ports.map { port in
      let (key, translated) = (record(port).key, address("203.0.113.1"))
      let original = ConnectionTuple(
        source: key.source, destination: key.destination, sourcePort: key.sourcePort,
        destinationPort: key.destinationPort)
      var outside = original
      (outside.source, outside.sourcePort) = (translated, 1)
      return NATEvent(
        .create, Connection(original: original, translated: outside, version: .v4, protocol: .tcp, id: 1),
        at: Sample.instant.now)
    }
    scene.pass([], events)
    #expect(scene.exporter.exporters.map(\.statistics.natEvents.sent) == forth)
    scene.collect()
    #expect(scene.collectors.flatMap(\.problems) == [])
    // Events are data records too.
    #expect(scene.collectors.map(\.flows) == forth.map { Int($0) * 3 })
    for (member, collector) in zip(scene.exporter.exporters, scene.collectors) {
      #expect(UInt64(collector.packets) == member.statistics.sent.packets)
    }
  }

  @Test("in turn members get whole buffers, evenly, and every one templates and options")
  func roundRobin() throws {
    var scene = try Scene(.roundRobin, 2)
    // A full buffer and a part of one with each pass: taking turns alone would give one all the full ones.
    for _ in 0..<4 {
      scene.pass((0..<300).map { record($0 + 1) }, Array(repeating: Sample.sourceTranslated, count: 600))
    }
    scene.collect()
    #expect(scene.collectors.flatMap(\.problems) == [])
    #expect(scene.sent.reduce(0, +) == 1200)
    let handed = scene.exporter.exporters.map { $0.statistics.sent.flows + $0.statistics.natEvents.sent }
    #expect(handed.allSatisfy { (1800 - 256...1800 + 256).contains($0) }, "\(handed)")
    // Sampling, sampler, system and statistics.
    #expect(scene.collectors.map(\.options) == [4, 4])
    #expect(scene.inUse == [true, true])
  }

  @Test("a member that is not there is passed over, and what it missed is not made up for when it is back")
  func roundRobinAbsent() throws {
    let scene = try Scene(.roundRobin, 3)
    scene.receivers[0].refuseOthers()
    wait(scene) { $0.inUse == [false, true, true] }
    let before = scene.sent
    for _ in 0..<8 { scene.pass((0..<256).map { record($0 + 1) }) }
    #expect(zip(scene.sent, before).map { $0 - $1 } == [0, 1024, 1024])
    scene.receivers[0].takeAll()
    wait(scene) { $0.inUse == [true, true, true] }
    let after = scene.sent
    for _ in 0..<6 { scene.pass((0..<256).map { record($0 + 1) }) }
    // As many as the others, but for the buffer that was last before.
    #expect(zip(scene.sent, after).allSatisfy { (256...768).contains($0 - $1) })
  }

  @Test("the first member that is there gets all, the next when it goes, and the first again when it is back")
  func failover() throws {
    var scene = try Scene(.failover, 2)
    scene.pass([record(1)])
    #expect(scene.sent == [1, 0])
    #expect(scene.inUse == [true, false])
    scene.collect()
    scene.receivers[0].refuseOthers()
    scene.pass([record(2)])
    wait(scene) { $0.inUse == [false, true] }
    scene.pass([record(3), record(4)], [Sample.sourceTranslated])
    // The second record is what UDP lets nobody know of in time.
    #expect(scene.sent == [2, 2])
    #expect(scene.exporter.exporters.map(\.statistics.natEvents.sent) == [0, 1])
    #expect(scene.exporter.exporters[0].statistics.refusals > 0)
    #expect(scene.exporter.exporters[1].statistics.refusals == 0)
    scene.receivers[0].takeAll()
    wait(scene) { $0.inUse == [true, false] }
    scene.pass([record(5)])
    #expect(scene.sent == [3, 2])
    // What the first was sent while it was not there nobody has.
    scene.collect(from: 1..<2)
    #expect(scene.collectors[1].problems == [])
    #expect(scene.collectors[1].flows == 3)
  }

  @Test("where no member is there the first gets all, and its losses are counted")
  func failoverWithoutAny() throws {
    var configuration = ExportConfiguration()
    configuration.exportRate = 0
    let members = try ["127.0.0.1%nosuchdevice", "127.0.0.2%nosuchdevice"].map {
      ExportDestination(try CollectorAddress($0), configuration)
    }
    let exporter = EntryExporter(.group(DestinationGroup(.failover, members))) {
      CollectorExporter(to: $0, number: 0, context: { ExporterContext() }, report: { _ in })
    }
    exporter.consumer.begin(at: Sample.instant)
    withBuffer([record(1)]) { exporter.consumer.consume($0, at: Sample.instant) }
    exporter.consumer.flush(at: Sample.instant)
    #expect(exporter.exporters.map(\.statistics.lost.flows) == [1, 0])
    #expect(exporter.exporters.map(\.statistics.isInUse) == [true, false])
  }

  @Test("an entry that is no group is its destination's exporter")
  func single() throws {
    let destination = ExportDestination(try CollectorAddress("192.0.2.1"), ExportConfiguration())
    let exporter = EntryExporter(.destination(destination)) {
      CollectorExporter(to: $0, number: 0, context: { ExporterContext() }, report: { _ in })
    }
    #expect(exporter.consumer === exporter.exporters[0])
    #expect(exporter.group == nil)
  }

  /// Makes empty passes until it is so, ten seconds at most.
  private func wait(_ scene: Scene, until isSo: (Scene) -> Bool) {
    let end = Timestamp.monotonicClock().advanced(byMilliseconds: 10_000)
    repeat {
      scene.pass([])
      if isSo(scene) { return }
      usleep(20_000)
    } while Timestamp.monotonicClock() < end
    Issue.record("it has not come to that")
  }
}
