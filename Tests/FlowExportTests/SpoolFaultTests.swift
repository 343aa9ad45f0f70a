// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("The spool when something goes wrong")
struct SpoolFaultTests {
  private let spool = TemporaryDirectory()

  /// A destination that nobody listens at; a queue of the least octets.
  private func text(_ receiver: StreamReceiver, _ more: String = "") -> String {
    receiver.stop()
    return "tcp://127.0.0.1:\(receiver.address.port)?queue=65536&spool=\(spool.path)\(more)"
  }

  @Test("a template that the spool had no room for comes ahead of the records that have it, in a file of their own")
  func templateWithoutRoom() throws {
    let destination = try ExportDestination("tcp://127.0.0.1:9?queue=65536&spool=\(spool.path)")
    let delivery = Delivery(destination)
    let attempts = CollectorAttempts(try #require(destination.target.address), nil, number: 0, ownSessions: nil)
    let disk = try Spool(spool.path, capacity: 80_000, segmentSize: 1 << 20, .never)
    let loop = DeliveryLoop(delivery, attempts, disk)
    func take(_ message: QueuedMessage) {
      loop.take(message)
      loop.spoolIfNeeded()
    }
    take(HandMessage.template)
    while disk.octets + 100 <= disk.capacity { take(HandMessage.data(4)) }
    while disk.octets + HandMessage.wideTemplate.octets.count <= disk.capacity { take(HandMessage.data(1)) }
    #expect(disk.octets + HandMessage.wideData.octets.count <= disk.capacity)
    take(HandMessage.wideTemplate)
    take(HandMessage.wideData)
    #expect(spool.names.count > 1)
    for name in spool.names {
      let collector = WireCollector(spool.messages(name))
      #expect(collector.problems.filter { !$0.hasPrefix("sequence") } == [])
    }
    #expect(spool.names.flatMap(spool.messages).contains(HandMessage.wideData.octets))
  }

  @Test("a template that the spool had no room for comes ahead of the records that go by memory")
  func templateWithoutRoomInMemory() {
    let stream = OutgoingStream(limit: 1420)
    stream.append(HandMessage.template)
    // The spool refuses it; what comes next has room in memory.
    stream.noteSpooled(HandMessage.wideTemplate)
    stream.append(HandMessage.wideData)
    stream.append(HandMessage.wideData)
    var sent: [[UInt8]] = []
    stream.window.forEachWaiting { sent.append($0.message.octets) }
    #expect(sent.count == 4)
    let collector = WireCollector(sent)
    #expect(collector.problems.filter { !$0.hasPrefix("sequence") } == [])
    #expect(collector.templates.count == 2)
  }

  @Test("what the options told by way of the spool each new connection is told again")
  func descriptions() throws {
    let receiver = try #require(StreamReceiver())
    let scene = try DeliveryScene(text(receiver))
    scene.fill(3000)
    scene.context.interfaces = [ObservedInterface(index: 7, name: "late0")]
    scene.exporter.interfacesChanged()
    scene.fill(1000)
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let first = try #require(late.accept())
    first.read(flows: 4000)
    #expect(scene.wait { $0.pending.flows == 0 })
    first.endSending()
    first.read(until: { _ in first.isAtEnd })
    first.end()
    scene.pass(10)
    let second = try #require(late.accept())
    second.read(flows: 10)
    #expect(second.collector.problems == [])
    let name = Array("late0".utf8)
    #expect(first.messages.filter { $0.contains(name) }.count == 1)
    #expect(second.messages.filter { $0.contains(name) }.count == 1)
    // Sampling, sampler, system and the interface.
    #expect(second.collector.options == 4)
  }

  @Test("a file that is gone or cut off costs the records that it had, which are counted and told")
  func lostFiles() throws {
    let receiver = try #require(StreamReceiver())
    let scene = try DeliveryScene(text(receiver))
    scene.fill(10_000)
    let names = spool.names
    let (gone, cut) = (names[names.count / 2], names[names.count / 2 + 1])
    let missing = WireCollector(spool.messages(gone)).flows
    let last = try #require(spool.messages(cut).last)
    let template = try #require(WireCollector(spool.messages(cut)).templates[last.number(16, 2)])
    let torn = (last.count - 16 - 4) / template.recordLength
    spool.remove(gone)
    spool.write(Array(spool.read(cut).dropLast(3)), to: cut)
    let late = try #require(StreamReceiver(port: receiver.address.port))
    let connection = try #require(late.accept())
    connection.read(until: { _ in scene.wait { _ in true } && scene.exporter.statistics.pending.flows == 0 })
    connection.read()
    let statistics = scene.exporter.statistics
    #expect(statistics.pending == FlowTotals())
    #expect(statistics.lost.flows == UInt64(missing + torn))
    #expect(connection.collector.flows == 10_000 - missing - torn)
    #expect(statistics.delivery?.spool?.waiting.flows.flows == 0)
    #expect(scene.isBalanced)
    #expect(scene.events.contains { $0.contains("'\(gone)' in its spool cannot be read: no such file or directory") })
    #expect(scene.events.contains { $0.contains("of '\(cut)' in its spool are no whole message") })
    #expect(scene.events.contains { $0.contains("as its spool cannot be used") })
  }

  @Test("a file goes to the disk every so many seconds and when it is complete, as is wanted; what fails is told once")
  func sync() throws {
    /// What is told when the disk refuses a file: while it is written, a second later, and when it is complete.
    func told(_ sync: FileSync) throws -> [Bool] {
      let disk = try Spool(spool.path, capacity: 1 << 20, segmentSize: 1 << 16, sync)
      let (segment, _) = try disk.append(HandMessage.data(1), isLoaded: false) { [HandMessage.template] }
      #expect(spool.breakSync(of: segment.name))
      func isTold() -> Bool {
        do throws(SpoolError) {
          try disk.keepUp()
          return false
        } catch {
          #expect(error.description.contains("cannot use spool '\(spool.path)': invalid argument"))
          return true
        }
      }
      var told = [isTold()]
      usleep(1_100_000)
      told.append(isTold())
      disk.endSegment()
      return told + [isTold(), isTold()]
    }
    #expect(try told(.every(1)) == [false, true, false, false])
    #expect(try told(.every(60)) == [false, false, true, false])
    #expect(try told(.atEnd) == [false, false, true, false])
    #expect(try told(.never) == [false, false, false, false])
  }

  @Test("who follows another exporter delivers what that leaves in the spool, even if it never needs the spool itself")
  func successor() throws {
    let receiver = try #require(StreamReceiver())
    let first = try DeliveryScene(text(receiver))
    first.fill(3000)
    let second = try DeliveryScene(text(receiver, "&export-rate=0"), isSuccessor: true)
    first.exporter.leave()
    let late = try #require(StreamReceiver(port: receiver.address.port))
    second.pass(50)
    var came = 0
    for _ in 0..<3 where came < 3050 {
      guard let connection = late.accept() else { break }
      connection.read(until: { _ in second.wait { _ in true } && second.exporter.statistics.pending.flows == 0 })
      connection.read(within: 100)
      #expect(connection.collector.problems == [])
      came += connection.collector.flows
      connection.end()
    }
    #expect(came == 3050)
    first.exporter.finish(within: 0)
    #expect(first.exporter.statistics.delivery?.spool?.waiting.flows.flows == 3000)
    #expect(first.isBalanced)
    #expect(second.exporter.statistics.delivery?.spool?.found.flows.flows == 3000)
    #expect(second.isBalanced)
    #expect(spool.names == [])
  }
}
