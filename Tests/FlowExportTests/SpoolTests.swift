// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("The spool")
struct SpoolTests {
  @Test("what the queue cannot hold waits on disk, in order, and comes when the Collector is back; then the files go")
  func away() throws {
    let spool = TemporaryDirectory()
    let receiver = try #require(StreamReceiver())
    receiver.stop()
    let scene = try DeliveryScene("tcp://127.0.0.1:\(receiver.address.port)?queue=65536&spool=\(spool.path)")
    scene.fill(10_000)
    var statistics = scene.exporter.statistics
    #expect(statistics.lost == FlowTotals())
    #expect(statistics.pending.flows == 10_000)
    #expect(statistics.delivery?.spool?.waiting.flows.flows ?? 0 > 9000)
    #expect(scene.isBalanced)
    #expect(spool.names.count > 10)
    // Each is a file that any reader of IPFIX reads by itself.
    for name in spool.names {
      #expect(spool.permissions(name) == 0o600)
      let collector = WireCollector(spool.messages(name))
      #expect(collector.problems == [])
      #expect(collector.flows > 0)
    }
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let connection = try #require(late.accept())
    connection.read(flows: 10_000)
    #expect(connection.collector.problems == [])
    #expect(connection.collector.flows == 10_000)
    #expect(connection.collector.packets == 20_000)
    #expect(scene.wait { $0.sent.flows == 10_000 && $0.pending.flows == 0 })
    statistics = scene.exporter.statistics
    #expect(scene.isBalanced)
    #expect(statistics.delivery?.spool?.octets == 0)
    #expect(statistics.delivery?.spool?.waiting == RecordTotals())
    #expect(spool.names == [])
  }

  @Test("what is left at the end waits for the next start, which sends it first, by a connection of its own")
  func nextRun() throws {
    let spool = TemporaryDirectory()
    let receiver = try #require(StreamReceiver())
    let text = "tcp://127.0.0.1:\(receiver.address.port)?queue=65536&spool=\(spool.path)"
    receiver.stop()
    do {
      let scene = try DeliveryScene(text)
      scene.fill(3000)
      let began = ContinuousClock.now
      scene.exporter.finish(within: 5000)
      #expect(began.duration(to: .now) < .seconds(2))
      #expect(scene.exporter.statistics.lost == FlowTotals())
      #expect(scene.exporter.statistics.delivery?.spool?.waiting.flows.flows == 3000)
      #expect(scene.isBalanced)
    }
    // All is there, and once.
    let written = spool.names.map { WireCollector(spool.messages($0)) }
    #expect(written.flatMap(\.problems) == [])
    #expect(written.reduce(0) { $0 + $1.flows } == 3000)
    let scene = try DeliveryScene(text)
    scene.pass(20)
    let late = try #require(StreamReceiver(port: receiver.address.port))
    #expect(scene.wait { $0.delivery?.spool?.found.flows.flows == 3000 })
    #expect(scene.isBalanced)
    let first = try #require(late.accept())
    first.read(until: { _ in first.isAtEnd })
    #expect(first.collector.problems == [])
    #expect(first.collector.flows == 3000)
    #expect(first.rest == 0)
    first.end()
    let second = try #require(late.accept())
    second.read(flows: 20)
    #expect(second.collector.problems == [])
    #expect(second.collector.flows == 20)
    #expect(scene.wait { $0.sent.flows == 3020 })
    #expect(scene.isBalanced)
    #expect(spool.names == [])
    #expect(scene.events.contains { $0.contains("3000 flows of an earlier run wait in its spool") })
  }

  @Test("each file begins with what the options tell; an earlier run's connection is told it once, ahead of its flows")
  func descriptions() throws {
    let spool = TemporaryDirectory()
    let receiver = try #require(StreamReceiver())
    let text = "tcp://127.0.0.1:\(receiver.address.port)?queue=65536&spool=\(spool.path)"
    receiver.stop()
    try DeliveryScene.leave(3000, in: text)
    /// How many options records come ahead of the first flow.
    func optionsAhead(_ messages: [[UInt8]]) -> Int {
      var collector = WireCollector()
      for message in messages {
        let before = collector.options
        collector.take(message)
        if collector.flows > 0 { return before }
      }
      return collector.options
    }
    // Sampling, sampler and system at least.
    for name in spool.names { #expect(optionsAhead(spool.messages(name)) >= 3) }
    // What was delivered has gone.
    for name in spool.names.prefix(2) { spool.remove(name) }
    let flows = WireCollector(spool.names.flatMap(spool.messages)).flows
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let scene = try DeliveryScene(text)
    scene.pass()
    let connection = try #require(late.accept())
    connection.read(until: { _ in connection.isAtEnd })
    #expect(connection.collector.problems == [])
    #expect(connection.collector.flows == flows)
    #expect(connection.collector.options == 3)
    #expect(optionsAhead(connection.messages) == 3)
    #expect(scene.wait { $0.pending.flows == 0 })
    #expect(scene.isBalanced)
  }

  @Test("what a reset has promised to send again waits for the next start where the end comes first, in order")
  func promised() throws {
    let spool = TemporaryDirectory()
    let receiver = try #require(StreamReceiver())
    let text = "tcp://127.0.0.1:\(receiver.address.port)?queue=262144&spool=\(spool.path)"
    do {
      let scene = try DeliveryScene(text)
      scene.pass(1500)
      let connection = try #require(receiver.accept())
      #expect(scene.wait { $0.sent.flows == 1500 })
      receiver.stop()
      connection.end()
      #expect(scene.wait { !$0.isConnected })
      scene.pass(100)
      let began = ContinuousClock.now
      scene.exporter.finish(within: 5000)
      #expect(began.duration(to: .now) < .seconds(2))
      #expect(scene.exporter.statistics.sent.flows == 1500)
      #expect(scene.exporter.statistics.delivery?.spool?.waiting.flows.flows == 100)
      #expect(scene.isBalanced)
    }
    #expect(spool.names.count > 2)
    #expect(WireCollector(spool.names.flatMap(spool.messages)).flows == 1600)
    let again = try #require(StreamReceiver(port: receiver.address.port))
    let scene = try DeliveryScene(text)
    scene.pass()
    let connection = try #require(again.accept())
    connection.read(until: { _ in connection.isAtEnd })
    #expect(connection.collector.problems == [])
    #expect(connection.collector.flows == 1600)
    #expect(scene.wait { $0.sent.flows == 1600 })
    #expect(scene.exporter.statistics.delivery?.spool?.found.flows.flows == 1600)
    #expect(scene.isBalanced)
  }

  @Test("what a segment repeats is left out where it came before; its templates are numbered as what is behind them")
  func repetition() throws {
    func numbered(_ message: QueuedMessage, _ sequence: UInt32, _ role: MessageBatch.Role? = nil) -> QueuedMessage {
      var message = message
      message.sequence = sequence
      message.contents.role = role ?? message.contents.role
      return message
    }
    let stream = OutgoingStream(limit: 1420)
    let description = MessageBatch.Role.description(.system)
    /// The numbers of what comes to memory.
    func load(_ messages: [QueuedMessage]) -> [UInt32] {
      stream.load(messages, of: SpoolSegment(name: "", run: "", isLoaded: false))
      var numbers: [UInt32] = []
      stream.window.forEachWaiting { numbers.append($0.message.sequence) }
      return numbers
    }
    let (template, wide) = (HandMessage.template, HandMessage.wideTemplate)
    // A first segment is taken as it is; RFC 7011 section 3.1: the numbers are modulo 2^32.
    #expect(
      load([
        numbered(template, .max), numbered(HandMessage.data(1), .max, description), numbered(HandMessage.data(2), 0),
      ]) == [.max, .max, 0])
    #expect(
      load([
        numbered(template, 1), numbered(wide, 1), numbered(HandMessage.data(1), 1, description),
        numbered(HandMessage.data(2), 2), numbered(HandMessage.data(1), 4, description),
      ]) == [.max, .max, 0, 2, 2, 4])
  }

  @Test("what is kept ahead of other files is found ahead of them, however often that was done")
  func ahead() throws {
    let directory = TemporaryDirectory()
    func open() throws -> Spool { try Spool(directory.path, capacity: 4000, segmentSize: 200, .never) }
    func numbered(_ numbers: Range<UInt32>) -> [QueuedMessage] {
      numbers.map {
        var message = HandMessage.data(10)
        message.sequence = $0
        return message
      }
    }
    do {
      let spool = try open()
      for message in numbered(100..<110) { _ = try spool.append(message, isLoaded: false) { [HandMessage.template] } }
    }
    for start in [90, 80, 70] as [UInt32] {
      let spool = try open()
      let first = try #require(spool.findEarlier().first)
      try spool.keep(numbered(start..<start + 10), ahead: first, run: first.run) { _ in [HandMessage.template] }
    }
    let spool = try open()
    #expect(spool.octets <= 4200)
    #expect(Set(spool.findEarlier().map(\.run)).count == 1)
    let found = try spool.findEarlier().flatMap { try spool.read($0).messages }.filter { $0.contents.role == .data }
    // The newest, where there is no room for all.
    #expect(found.map(\.sequence) == Array(110 - UInt32(found.count)..<110))
    #expect(found.count > 25)
  }

  @Test("what was torn is cut off and told; what is no file of messages is put aside")
  func torn() throws {
    let spool = TemporaryDirectory()
    let receiver = try #require(StreamReceiver())
    let text = "tcp://127.0.0.1:\(receiver.address.port)?queue=65536&spool=\(spool.path)"
    receiver.stop()
    try DeliveryScene.leave(1000, in: text)
    let last = try #require(spool.names.last)
    var octets = spool.read(last)
    let whole = spool.messages(last)
    let end = try #require(whole.last)
    octets.removeLast(5)
    spool.write(octets, to: last)
    spool.write(Array("no message at all".utf8), to: "0000000000000001-000000001.ipfix")
    let templates = WireCollector(whole).templates
    // The last message has flows alone.
    let template = try #require(templates[end.number(16, 2)])
    let missing = (end.count - 16 - 4) / template.recordLength
    let scene = try DeliveryScene(text)
    #expect(scene.wait { $0.delivery?.spool?.found.flows.flows == UInt64(1000 - missing) })
    #expect(scene.exporter.statistics.delivery?.spool?.unreadable == 2)
    scene.pass()
    #expect(scene.events.contains { $0.contains("octets of '\(last)' in its spool are no whole message") })
    #expect(scene.events.contains { $0.contains("put aside as 0000000000000001-000000001.ipfix.damaged") })
    #expect(spool.names.contains("0000000000000001-000000001.ipfix.damaged"))
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let connection = try #require(late.accept())
    connection.read(flows: 1000 - missing)
    #expect(connection.collector.problems == [])
    #expect(connection.collector.flows == 1000 - missing)
    #expect(scene.wait { $0.pending.flows == 0 })
    // Reading it once more is no other tear.
    #expect(scene.exporter.statistics.delivery?.spool?.unreadable == 2)
    #expect(scene.isBalanced)
  }

  @Test("a full spool loses the newest, which is counted and told, and what it has is delivered")
  func full() throws {
    let spool = TemporaryDirectory()
    let receiver = try #require(StreamReceiver())
    receiver.stop()
    let scene = try DeliveryScene(
      "tcp://127.0.0.1:\(receiver.address.port)?queue=65536&spool=\(spool.path)&spool-size=1048576")
    scene.fill(20_000)
    scene.pass()
    let statistics = scene.exporter.statistics
    #expect(statistics.lost.flows > 1000)
    #expect(statistics.errors[.spoolFull] ?? 0 > 0)
    #expect(statistics.delivery?.spool?.octets ?? .max <= 1_048_576)
    #expect(scene.isBalanced)
    #expect(
      scene.events.contains { $0.contains("its spool of 1048576 octets is full; a larger one (spool-size=OCTETS)") })
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let connection = try #require(late.accept())
    connection.read(until: { _ in scene.exporter.statistics.pending.flows == 0 })
    connection.read()
    #expect(connection.collector.flows == 20_000 - Int(scene.exporter.statistics.lost.flows))
    #expect(scene.isBalanced)
  }

  @Test("a directory has one owner, and one that cannot be written to is refused")
  func refused() throws {
    let spool = TemporaryDirectory()
    let taken = try Spool(spool.path, capacity: 1 << 20, segmentSize: 1 << 16, .never)
    let text = "tcp://127.0.0.1:9?spool=\(spool.path)"
    for words in try DeliveryScene.refusals(text) {
      #expect(words.contains("another flowprobe has it; give each destination a directory of its own"))
    }
    _ = taken
    spool.write([], to: "file")
    let below = "\(spool.path)/file/at-all"
    for words in try DeliveryScene.refusals("tcp://127.0.0.1:9?spool=\(below)") {
      #expect(words.contains("cannot use spool '\(below)': not a directory; give another"))
    }
  }

  @Test("a directory that is not there is made with its parents, for nobody else")
  func made() throws {
    let place = TemporaryDirectory()
    let destination = try ExportDestination("tcp://127.0.0.1:9?spool=\(place.path)/a/b&spool-size=2M")
    #expect(destination.configuration.delivery.spoolSize == 2 << 20)
    try destination.tryOutDelivery()
    #expect(place.names == [])
    try CollectorExporter(to: destination).prepare()
    #expect(place.permissions("a") == 0o755 && place.permissions("a/b") == 0o700)
    for name in ["a/b", "a"] { unsafe rmdir("\(place.path)/\(name)") }
  }

  @Test("a message's records are read as they were counted when it was made")
  func reader() throws {
    let encoder = ExportConfiguration().makeEncoder(repeatsTemplates: false)
    var batch = MessageBatch()
    var (next, rejected) = (0, FlowTotals())
    encoder.sendTemplates(at: Sample.instant, to: &batch)
    var (events, lost) = (0, UInt64(0))
    encoder.append(
      [Sample.sourceTranslated, Sample.ipv6Translated, Sample.withTraffic(Sample.sourceTranslated)], from: &events,
      at: Sample.instant, to: &batch, rejected: &lost)
    withBuffer([Sample.tcp, Sample.udp6, Sample.labelled(3), Sample.tcp]) {
      encoder.append($0, from: &next, at: Sample.instant, to: &batch, rejected: &rejected)
    }
    encoder.append(.system, [ExporterOptions()], at: Sample.instant, to: &batch)
    #expect(encoder.flush(at: Sample.instant, to: &batch))
    var (file, made) = ([UInt8](), [MessageBatch.Contents]())
    for message in batch.messages(0..<batch.count) {
      file += message.octets
      made.append(message.contents)
    }
    var reader = MessageReader()
    let (messages, rest) = reader.messages(in: file)
    #expect(rest == 0)
    #expect(messages.map(\.contents.flows) == made.map(\.flows))
    #expect(messages.map(\.contents.events) == made.map(\.events))
    #expect(messages.map(\.contents.records) == made.map(\.records))
    #expect(messages.map(\.contents.role) == made.map(\.role))
    #expect(messages.reduce(0) { $0 + $1.contents.events } == 3)
    // Whatever is cut off or broken is no message, and never a trap.
    for length in 0..<file.count {
      var again = MessageReader()
      let (some, left) = again.messages(in: Array(file[..<length]))
      #expect(some.count < messages.count)
      #expect(some.reduce(0) { $0 + $1.octets.count } + left == length)
    }
    for place in file.indices {
      var broken = file
      broken[place] = 0xff
      var again = MessageReader()
      _ = again.messages(in: broken)
    }
  }
}

extension DeliveryScene {
  /// What is told of a destination that cannot be: at the start, and when it is only looked at. Empty where it can.
  static func refusals(_ text: String) throws -> [String] {
    let destination = try ExportDestination(text)
    var refusals: [String] = []
    do throws(DeliveryRefusal) {
      try CollectorExporter(to: destination).prepare()
      Issue.record("'\(text)' was taken")
    } catch {
      refusals.append(error.description)
    }
    do throws(DeliveryRefusal) {
      try destination.tryOutDelivery()
      Issue.record("'\(text)' was found to be good")
    } catch {
      refusals.append(error.description)
    }
    return refusals
  }
}
