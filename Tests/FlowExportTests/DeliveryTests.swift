// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("Delivery over TCP")
struct DeliveryTests {
  private func scene(_ receiver: StreamReceiver, _ parameters: String = "") throws -> DeliveryScene {
    try DeliveryScene("tcp://127.0.0.1:\(receiver.address.port)\(parameters)")
  }

  @Test("messages come whole and back to back, templates and options first, however little is read at once")
  func stream() throws {
    let receiver = try #require(StreamReceiver())
    let scene = try scene(receiver)
    scene.pass(100)
    let connection = try #require(receiver.accept())
    connection.read(1000, most: 7)
    scene.pass(2000)
    connection.read(flows: 2100)
    let collector = connection.collector
    #expect(collector.problems == [])
    #expect(collector.flows == 2100)
    #expect(collector.packets == 4200)
    #expect(collector.octetTotal == 210_000)
    #expect(connection.rest == 0)
    let messages = connection.messages.map { WireMessage($0) }
    #expect(messages[0].isTemplates)
    // Sampling, sampler, system and statistics: no interface is known.
    #expect(messages[1...4].allSatisfy { !$0.isTemplates && collector.templates[$0.dataSets[0].id]?.isOptions == true })
    // Once each: a connection loses none.
    let templates = messages.flatMap(\.templateIDs)
    #expect(templates.count == Set(templates).count)
    #expect(scene.wait { $0.sent.flows == 2100 })
    #expect(scene.isBalanced)
    #expect(scene.exporter.statistics.messages == UInt64(messages.count))
    #expect(scene.exporter.statistics.isConnected)
  }

  @Test("a Collector that never reads holds nobody up; what its queue cannot hold is lost, counted and told")
  func neverReads() throws {
    let receiver = try #require(StreamReceiver(buffer: 4096))
    let scene = try scene(receiver, "?queue=65536&sndbuf=4096&export-rate=0")
    let connection = try #require(
      {
        scene.pass(); return receiver.accept()
      }())
    let began = ContinuousClock.now
    for _ in 0..<20 { scene.pass(1000) }
    #expect(began.duration(to: .now) < .seconds(2))
    #expect(scene.isBalanced)
    scene.pass()
    let statistics = scene.exporter.statistics
    #expect(statistics.lost.flows > 15_000)
    #expect(statistics.errors[.queueFull] ?? 0 > 0)
    #expect(statistics.delivery?.queueOctets ?? .max <= 65_536 + 4096)
    #expect(scene.events.contains { $0.contains("its queue of 65536 octets is full; a larger one (queue=OCTETS)") })
    // The oldest are kept, and come once it reads; the sequence number tells of what was lost.
    connection.read(until: {
      $0.flows > 0 && $0.flows == Int(scene.exporter.statistics.sent.flows)
        && scene.exporter.statistics.pending.flows == 0
    })
    #expect(connection.collector.problems.allSatisfy { $0.hasPrefix("sequence ") })
    #expect(scene.wait { $0.pending.flows == 0 })
    #expect(scene.isBalanced)
    #expect(connection.collector.flows == 20_000 - Int(scene.exporter.statistics.lost.flows))
  }

  @Test("what was in flight when a connection broke comes again on the next, in order and without a gap")
  func reset() throws {
    let receiver = try #require(StreamReceiver(buffer: 8192))
    let scene = try scene(receiver, "?sndbuf=8192")
    scene.pass(3000)
    let first = try #require(receiver.accept())
    first.read(20_001)
    first.end()
    scene.pass(500)
    let second = try #require(receiver.accept())
    second.read(until: { _ in scene.exporter.statistics.sent.flows == 3500 })
    #expect(scene.wait { $0.sent.flows == 3500 && $0.pending.flows == 0 })
    second.read()
    #expect(first.rest > 0)
    #expect(second.collector.problems == [])
    let (early, late) = (first.messages.map { WireMessage($0) }, second.messages.map { WireMessage($0) })
    // Templates, then no data that is behind what the first has got.
    #expect(late[0].isTemplates)
    let next = early.last.map { $0.sequence } ?? 0
    #expect(late[0].sequence <= next)
    #expect(late.last?.sequence ?? 0 > 3000)
    #expect(scene.exporter.statistics.delivery?.resentMessages ?? 0 > 0)
    #expect(scene.exporter.statistics.lost == FlowTotals())
    #expect(scene.isBalanced)
  }

  @Test("a Collector that ends in order has read what it acknowledged: none of that comes again")
  func orderlyEnd() throws {
    let receiver = try #require(StreamReceiver())
    let scene = try scene(receiver)
    scene.pass(1000)
    let first = try #require(receiver.accept())
    first.read(flows: 1000)
    #expect(scene.wait { $0.sent.flows == 1000 })
    first.endSending()
    first.read(until: { _ in first.isAtEnd })
    #expect(first.rest == 0)
    first.end()
    let second = try #require(
      {
        scene.pass(10); return receiver.accept()
      }())
    second.read(flows: 10)
    #expect(second.collector.problems == [])
    #expect(second.collector.flows == 10)
    // Sampling, sampler and system are told anew; statistics are not.
    #expect(second.collector.options == 3)
    let messages = second.messages.map { WireMessage($0) }
    #expect(messages[0].sequence == 1000 + 4 - 3)
    #expect(messages.prefix { $0.isTemplates }.flatMap(\.templateIDs).count == second.collector.templates.count)
    #expect(scene.exporter.statistics.delivery?.resentMessages == 0)
    #expect(scene.wait { $0.sent.flows == 1010 })
    #expect(scene.events.filter { $0.hasSuffix("it closed the connection") }.count == 1)
    #expect(scene.events.last?.hasSuffix("takes messages again") ?? false)
  }

  @Test("who is not there is told of once, tried again, and gets everything when it comes")
  func refused() throws {
    let receiver = try #require(StreamReceiver())
    let scene = try scene(receiver)
    receiver.stop()
    scene.pass(300)
    #expect(scene.wait { $0.failedAttempts >= 2 })
    #expect(scene.events == ["cannot send to collector \(scene.exporter.destination): connection refused"])
    #expect(scene.exporter.statistics.pending.flows == 300)
    #expect(!scene.exporter.statistics.isConnected)
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let connection = try #require(late.accept())
    connection.read(flows: 300)
    #expect(connection.collector.problems == [])
    #expect(connection.collector.flows == 300)
    #expect(WireMessage(connection.messages[0]).sequence == 0)
    #expect(scene.wait { $0.sent.flows == 300 })
    #expect(scene.isBalanced)
  }

  @Test("at the end there is a bounded time; what is left then is lost, counted and told")
  func end() throws {
    let receiver = try #require(StreamReceiver())
    receiver.stop()
    let scene = try scene(receiver)
    scene.pass(100)
    let began = ContinuousClock.now
    scene.exporter.finish(within: 300)
    #expect(began.duration(to: .now) < .seconds(3))
    let statistics = scene.exporter.statistics
    #expect(statistics.lost.flows == 100)
    #expect(statistics.pending == FlowTotals())
    #expect(scene.isBalanced)
    #expect(scene.events.last?.contains("100 flows in") ?? false)
    #expect(statistics.errors[.notDelivered] ?? 0 > 0)
  }

  @Test(
    "where no thread can be started what was handed over is lost at the end, counted and told",
    arguments: [false, true])
  func noThread(leaves: Bool) throws {
    var events: [String] = []
    let destination = try ExportDestination("tcp://127.0.0.1:9")
    let sender = DeliverySender(to: destination, number: 0, ownSessions: nil) { events.append($0.description) }
    var batch = MessageBatch()
    var counters = ExportStatistics()
    var message = MessageBuffer(capacity: 100)
    for octet in HandMessage.data(5).octets { message.append(octet) }
    batch.append(message, FlowTotals(flows: 5, packets: 7, octets: 9), events: 3, records: 8)
    sender.handOver(batch, &counters) {}
    #expect(sender.statistics.pending.flows == 5)
    if leaves { sender.leave() } else { sender.finish(within: 5000) }
    #expect(sender.statistics.pending == FlowTotals())
    #expect(sender.statistics.lost == FlowTotals(flows: 5, packets: 7, octets: 9))
    #expect((sender.statistics.natEvents.lost, sender.statistics.natEvents.pending) == (3, 0))
    #expect(sender.statistics.errors == [.notDelivered: 1])
    #expect(events.count == 1 && events[0].contains("5 flows in 1 messages"), "\(events)")
    sender.finish(within: 0)
    #expect(events.count == 1)
  }

  @Test("the end waits for the acknowledgement of everything, and says goodbye in order")
  func deliveredEnd() throws {
    let receiver = try #require(StreamReceiver())
    let scene = try scene(receiver)
    scene.pass(5000)
    scene.exporter.beginToFinish(within: 5000)
    let connection = try #require(receiver.accept())
    connection.read(until: { _ in false })
    scene.exporter.finish(within: 5000)
    #expect(connection.isAtEnd)
    #expect(connection.rest == 0)
    #expect(connection.collector.flows == 5000)
    #expect(scene.exporter.statistics.sent == scene.given)
    #expect(scene.isBalanced)
  }

  @Test("the flows of a file have the time that the Collector takes, as long as it acknowledges some")
  func patientEnd() throws {
    let receiver = try #require(StreamReceiver(buffer: 4096))
    let scene = try DeliveryScene("tcp://127.0.0.1:\(receiver.address.port)?sndbuf=4096", waitsForRoom: true)
    scene.pass(5000)
    let connection = try #require(receiver.accept())
    scene.exporter.beginToFinish(within: 1000)
    // More than twice as long.
    for _ in 0..<20 {
      connection.read(4096, most: 4096)
      usleep(120_000)
    }
    connection.read(flows: 5000)
    scene.exporter.finish(within: 1000)
    #expect(connection.collector.flows == 5000)
    #expect(scene.exporter.statistics.sent == scene.given)
    #expect(scene.isBalanced)
  }

  @Test("the session's addresses are told before it connects, and are its own both ways")
  func ownSession() throws {
    let receiver = try #require(StreamReceiver())
    let sessions = OwnSessions()
    let scene = try DeliveryScene("tcp://127.0.0.1:\(receiver.address.port)@127.0.0.2", ownSessions: sessions)
    scene.pass(1)
    _ = try #require(receiver.accept())
    let session = try #require(sessions.current.sessions.first)
    #expect(session.source == address("127.0.0.2"))
    #expect(session.destinationPort == receiver.address.port)
    var key = FlowKey()
    (key.version, key.protocol) = (.v4, .tcp)
    (key.source, key.destination) = (session.source, session.destination)
    (key.sourcePort, key.destinationPort) = (session.sourcePort, session.destinationPort)
    #expect(session.matches(key))
    (key.source, key.destination) = (key.destination, key.source)
    (key.sourcePort, key.destinationPort) = (key.destinationPort, key.sourcePort)
    #expect(session.matches(key))
    key.protocol = .udp
    #expect(!session.matches(key))
  }

  @Test("the delays between attempts double from half a second to a minute, and begin anew")
  func delays() {
    var delay = RetryDelay()
    #expect((0..<9).map { _ in delay.take() } == [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    delay.reset()
    #expect(delay.take() == 500)
  }
}
