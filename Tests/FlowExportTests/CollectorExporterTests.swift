// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("Exporting to a Collector")
struct CollectorExporterTests {
  /// What an exporter has told.
  private final class Events { var list: [String] = [] }
  /// What an exporter is told.
  private final class Interfaces {
    var list = [ObservedInterface(index: 2, name: "eth0"), ObservedInterface(index: 3, name: "eth1")]
  }

  private func exporter(
    to destination: String, _ version: ExportProtocol = .ipfix, number: Int = 0, ownSessions: OwnSessions? = nil,
    interfaces: Interfaces = Interfaces(), events: Events = Events(),
    _ change: (inout ExportConfiguration) -> Void = { _ in }
  ) throws -> CollectorExporter {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = version
    configuration.exportRate = 0
    change(&configuration)
    return CollectorExporter(
      to: ExportDestination(try CollectorAddress(destination), configuration), number: number, ownSessions: ownSessions,
      context: {
        var context = ExporterContext()
        context.interfaces = interfaces.list
        return context
      }, report: { events.list.append($0.description) })
  }

  private func pass(_ exporter: CollectorExporter, _ records: [FlowRecord], after milliseconds: Int64 = 0) {
    let instant = Sample.instant(after: milliseconds)
    exporter.begin(at: instant)
    withBuffer(records) { exporter.consume($0, at: instant) }
    exporter.flush(at: instant)
  }

  @Test("the Collector receives what the statistics say was sent", arguments: [ExportProtocol.ipfix, .netFlow9])
  func received(version: ExportProtocol) throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", version)
    var collector = WireCollector()
    var (messages, octets) = (0, 0)
    for round in 0..<4 {
      pass(exporter, Sample.everyLikelyShape + Array(repeating: Sample.tcp, count: 200), after: Int64(round) * 20_000)
      let sent = Int(exporter.statistics.messages)
      for message in receiver.receive(sent - messages) {
        collector.take(message)
        octets += message.count
      }
      messages = sent
    }
    #expect(receiver.isEmpty)
    #expect(collector.problems == [])
    #expect(collector.flows == 4 * 308)
    #expect(collector.packets == 4 * 3080)
    #expect(collector.octetTotal == 4 * 1_540_000)
    // Sampling, sampler, system, two interfaces, and statistics at the start and a minute later.
    #expect(collector.options == 7)
    #expect(collector.longest <= 1420)
    let statistics = exporter.statistics
    #expect(statistics.sent == FlowTotals(flows: 1232, packets: 12_320, octets: 6_160_000))
    #expect(statistics.octets == UInt64(octets))
    #expect(statistics.lost == FlowTotals())
    #expect(statistics.errors == [:])
    #expect(statistics.isConnected)
  }

  @Test("templates come first, then the options, then the Flows")
  func order() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)")
    pass(exporter, [Sample.tcp])
    let sets = receiver.receive(Int(exporter.statistics.messages)).map { WireMessage($0).sets.map(\.id) }
    #expect(sets == [Array(repeating: 3, count: 7), [256], [257], [258], [262, 262], [259], [2], [263]])
  }

  @Test("templates, the socket's buffer and attempts that failed are counted")
  func socket() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let reached = try exporter(to: "127.0.0.1:\(receiver.address.port)")
    pass(reached, [Sample.tcp, Sample.udp6])
    let statistics = reached.statistics
    // Seven of options, one each of the two shapes.
    #expect(statistics.templates == 9)
    #expect(statistics.sendBuffer >= 4096)
    #expect(statistics.sendQueue <= statistics.sendBuffer && statistics.sendQueuePeak <= statistics.sendBuffer)
    #expect(statistics.failedAttempts == 0)

    let unreachable = try exporter(to: "127.0.0.1:2055%nosuchdevice")
    pass(unreachable, [Sample.tcp])
    #expect(unreachable.statistics.failedAttempts == 1)
    #expect(!unreachable.statistics.isConnected)
    #expect(unreachable.statistics.sendBuffer == 0)
    #expect(unreachable.statistics.lost.flows == 1)
    #expect(unreachable.statistics.failedMessages == unreachable.statistics.errors[.connect])
  }

  @Test("an interface that changes or comes is told of with the next pass, ahead of the Flows, and nothing else is")
  func interfacesChange() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let interfaces = Interfaces()
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", interfaces: interfaces)
    pass(exporter, [Sample.tcp])
    let before = Int(exporter.statistics.messages)
    _ = receiver.receive(before)

    interfaces.list[1].name = "wan0"
    (interfaces.list[1].alias, interfaces.list[1].speed) = ("uplink", 1000)
    interfaces.list.append(ObservedInterface(index: 0x0001_0001, name: "ppp0"))
    pass(exporter, [])
    #expect(Int(exporter.statistics.messages) == before)
    exporter.interfacesChanged()
    pass(exporter, [Sample.tcp], after: 100)
    let sets = receiver.receive(Int(exporter.statistics.messages) - before).map { WireMessage($0).sets }
    #expect(sets.map { $0.map(\.id) } == [[262, 262], [263]])
    let description = "75706c696e6b2c2031303030204d6269742f73" + String(repeating: "00", count: 45)
    #expect(sets[0][0].body == octets("00000000 00000003 77616e30000000000000000000000000" + description))
    #expect(
      sets[0][1].body
        == octets("00000000 00010001 70707030000000000000000000000000 70707030") + Array(repeating: 0, count: 60))

    // Less is nothing to tell of.
    let after = exporter.statistics.messages
    interfaces.list.removeLast()
    exporter.interfacesChanged()
    pass(exporter, [], after: 200)
    #expect(exporter.statistics.messages == after)
  }

  @Test("NetFlow v5 leaves IPv6 out and says so")
  func netFlow5() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", .netFlow5)
    pass(exporter, [Sample.tcp, Sample.udp6, Sample.tcp])
    #expect(exporter.statistics.messages == 1)
    #expect(receiver.receive()?.number(2, 2) == 2)
    #expect(exporter.statistics.sent.flows == 2)
    #expect(exporter.statistics.notRepresentable == FlowTotals(flows: 1, packets: 10, octets: 5000))
  }

  @Test("a destination gets the records that it is to have, and templates of these alone")
  func records() throws {
    let event = Sample.sourceTranslated
    for (records, flows, options, templates) in [
      (ExportedRecords.flows, 2, 0, 1), (.natEvents, 1, 0, 1), (.options, 0, 6, 7), (.all, 3, 6, 9),
      ([.flows, .natEvents], 3, 0, 2),
    ] {
      let receiver = try #require(LoopbackReceiver(.v4))
      let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)") { $0.records = records }
      for _ in 0..<2 {
        exporter.begin(at: Sample.instant)
        withBuffer([Sample.tcp]) { exporter.consume($0, at: Sample.instant) }
        exporter.flush(at: Sample.instant)
      }
      exporter.consume([event], at: Sample.instant)
      exporter.flush(at: Sample.instant)
      let collector = WireCollector(receiver.receive(Int(exporter.statistics.messages)))
      #expect(collector.problems == [])
      #expect((collector.flows, collector.options) == (flows, options), "\(records)")
      #expect(collector.templates.count == templates)
      #expect(exporter.statistics.templates == templates)
      #expect(receiver.isEmpty)
    }
  }

  @Test("what the filter does not take is counted and is no loss")
  func filtered() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", .netFlow5) {
      $0.filter = try? FlowFilter("tcp or ip6")
    }
    exporter.begin(at: Sample.instant)
    withBuffer([Sample.tcp, Sample.udp6, Sample.ipv4(.udp), Sample.tcp]) { exporter.consume($0, at: Sample.instant) }
    exporter.consume([Sample.sourceTranslated, Sample.destinationTranslated], at: Sample.instant)
    exporter.flush(at: Sample.instant)
    let statistics = exporter.statistics
    #expect(statistics.sent.flows == 2)
    #expect(statistics.filtered == FlowTotals(flows: 1, packets: 10, octets: 5000))
    #expect(statistics.notRepresentable.flows == 1)
    #expect((statistics.natEvents.sent, statistics.natEvents.filtered) == (1, 1))
    #expect(statistics.lost == FlowTotals())
    #expect(receiver.receive()?.number(2, 2) == 3)
  }

  @Test("while a message fills, what is in it is told as pending")
  func pending() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    for version in [ExportProtocol.netFlow5, .ipfix] {
      let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", version)
      exporter.begin(at: Sample.instant)
      // More than a batch holds: what is over waits.
      withBuffer(Array(repeating: Sample.tcp, count: 5000)) { exporter.consume($0, at: Sample.instant) }
      let statistics = exporter.statistics
      #expect(statistics.pending.flows > 0 && statistics.sent.flows > 0)
      #expect(statistics.pending.packets == statistics.pending.flows * 10)
      exporter.flush(at: Sample.instant)
      #expect(exporter.statistics.pending == FlowTotals())
      #expect(exporter.statistics.sent.flows == 5000)
    }
  }

  @Test("each destination has a sequence and templates of its own")
  func twoDestinations() throws {
    let receivers = [try #require(LoopbackReceiver(.v4)), try #require(LoopbackReceiver(.v4))]
    let first = try exporter(to: "127.0.0.1:\(receivers[0].address.port)", .netFlow9)
    let second = try exporter(to: "127.0.0.1:\(receivers[1].address.port)", .netFlow9, number: 1)
    pass(first, [Sample.udp6, Sample.udp6])
    pass(first, [Sample.tcp])
    pass(second, [Sample.tcp])
    pass(first, [Sample.tcp])
    for (exporter, receiver, flows) in [(first, receivers[0], 4), (second, receivers[1], 1)] {
      let messages = receiver.receive(Int(exporter.statistics.messages))
      let collector = WireCollector(messages)
      #expect(messages.first.map { WireMessage($0).sequence } == 0)
      #expect(collector.problems == [])
      #expect(collector.flows == flows)
      #expect(receiver.isEmpty)
    }
  }

  @Test("without a listener nothing is lost to UDP, but the refusals are counted and told")
  func nobodyListens() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    receiver.refuseOthers()
    let events = Events()
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", events: events)
    var flows: UInt64 = 0
    for _ in 0..<1000 where exporter.statistics.refusals == 0 {
      pass(exporter, [Sample.tcp])
      flows += 1
    }
    #expect(exporter.statistics.refusals > 0)
    #expect(exporter.statistics.lost == FlowTotals())
    #expect(exporter.statistics.errors == [:])
    #expect(exporter.statistics.sent.flows == flows)
    pass(exporter, [])
    #expect(events.list.count == 1)
    let sentence = "cannot send to collector 127.0.0.1:\(receiver.address.port): connection refused"
    #expect(events.list.first?.hasPrefix(sentence) == true)
  }

  @Test("while a name has no address everything is lost, counted, and told once")
  func unresolvable() throws {
    let events = Events()
    // A label of 64 octets is longer than any name server knows.
    let name = String(repeating: "x", count: 64) + ".invalid"
    let exporter = try exporter(to: name, events: events)
    for _ in 0..<3 { pass(exporter, [Sample.tcp, Sample.udp6]) }
    let statistics = exporter.statistics
    #expect(statistics.lost == FlowTotals(flows: 6, packets: 60, octets: 30_000))
    #expect(statistics.sent == FlowTotals())
    #expect(statistics.messages == 0)
    #expect(statistics.errors.keys.map(\.rawValue) == ["connect"])
    #expect(statistics.errors[.connect]! >= 6)
    #expect(!statistics.isConnected)
    #expect(events.list == ["cannot send to collector \(name):2055: its name has no address"])
  }

  @Test("a name that has an address is as good as one")
  func resolvable() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let exporter = try exporter(to: "localhost:\(receiver.address.port)@127.0.0.1")
    pass(exporter, [Sample.tcp])
    let collector = WireCollector(receiver.receive(Int(exporter.statistics.messages)))
    #expect(collector.flows == 1)
    #expect(collector.problems == [])
  }

  @Test("the session's addresses are shown to those who meter")
  func ownSession() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let sessions = OwnSessions()
    let exporter = try exporter(to: "127.0.0.1:\(receiver.address.port)", number: 3, ownSessions: sessions)
    #expect(sessions.current.sessions == [])
    pass(exporter, [])
    #expect(sessions.current.sessions.map(\.destinationPort) == [receiver.address.port])
    exporter.retire()
    #expect(sessions.current.sessions == [])
  }

  @Test("a session that was given up is left out of the metering while the next one is", arguments: [0, 3])
  func ownSessionBefore(number: Int) throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let sessions = OwnSessions()
    let target = DestinationTarget.udp(try CollectorAddress("127.0.0.1:\(receiver.address.port)"))
    var connection = CollectorConnection(target, ExportConfiguration(), number: number, ownSessions: sessions)
    var known: Set<OwnSession> { Set(sessions.current.sessions) }
    var opened: [OwnSession] = []
    for round in 0..<3 {
      if round > 0 {
        connection.abandon()
        // Again, as where a name moves.
        connection.abandon()
        #expect(known == Set(opened.suffix(2)))
      }
      // An attempt a second.
      for _ in 0..<200 where connection.session == nil {
        _ = connection.maintain(at: Timestamp(milliseconds: 0))
        if connection.session == nil { usleep(10_000) }
      }
      opened.append(try #require(connection.session?.own))
      #expect(known == Set(opened.suffix(2)))
    }
    connection.retire()
    #expect(known == [])
  }

  @Test("what an operator is told names the destination, the reason and how often")
  func events() throws {
    let destination = ExportDestination(try CollectorAddress("192.0.2.1"), ExportConfiguration())
    #expect(
      ExportEvent.cannotSend(destination: destination, reason: "no route to host", times: 1).description
        == "cannot send to collector 192.0.2.1:2055: no route to host")
    #expect(
      ExportEvent.cannotSend(destination: destination, reason: "no route to host", times: 12).description
        == "cannot send to collector 192.0.2.1:2055: no route to host (12 times in the last minute)")
    #expect(
      ExportEvent.moved(destination: destination, to: "192.0.2.9").description
        == "collector 192.0.2.1:2055 is at 192.0.2.9 now")
  }
}
