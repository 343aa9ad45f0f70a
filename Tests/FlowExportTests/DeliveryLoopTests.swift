// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

/// The loop of a delivery, whose rounds a test makes, with a clock that the test moves.
private final class LoopScene {
  let delivery: Delivery
  let loop: DeliveryLoop
  private var ahead: Int64 = 0

  init(_ text: String, _ spool: Spool? = nil) throws {
    let destination = try ExportDestination(text)
    delivery = Delivery(destination)
    let attempts = CollectorAttempts(try #require(destination.target.address), nil, number: 0, ownSessions: nil)
    loop = DeliveryLoop(delivery, attempts, spool)
    loop.clock = { [unowned self] in Timestamp.monotonicClock().advanced(byMilliseconds: ahead) }
  }

  func advance(seconds: Int64) { ahead += seconds * 1000 }

  func take(_ messages: [QueuedMessage]) { delivery.take(messages, ExportStatistics()) }

  /// Makes rounds until it is so, ten seconds at most. False where it has not come to that.
  func round(until isSo: (ExportStatistics) -> Bool) -> Bool {
    for _ in 0..<5000 {
      loop.round()
      if isSo(delivery.statistics) { return true }
      usleep(2000)
    }
    return false
  }

  /// Makes rounds until nothing more is acknowledged.
  func roundUntilStuck() {
    var (known, times) = (UInt64(0), 0)
    _ = round {
      times = $0.sent.flows == known ? times + 1 : 0
      known = $0.sent.flows
      return known > 0 && times > 200
    }
  }
}

@Suite("The loop of a delivery")
struct DeliveryLoopTests {
  @Test("what a Collector had not read when its connection was reset comes again, however long ago it was acknowledged")
  func resetAfterLong() throws {
    let receiver = try #require(StreamReceiver(buffer: 65_536))
    let scene = try LoopScene("tcp://127.0.0.1:\(receiver.address.port)?sndbuf=16384")
    scene.take([HandMessage.template] + (0..<200).map { _ in HandMessage.data(150) })
    scene.loop.round()
    let first = try #require(receiver.accept())
    scene.roundUntilStuck()
    let sent = scene.delivery.statistics.sent.flows
    #expect(sent > 0 && sent < 30_000)
    scene.advance(seconds: 30)
    #expect(scene.round { $0.isConnected })
    first.end()
    #expect(scene.round { !$0.isConnected })
    scene.advance(seconds: 1)
    scene.loop.round()
    let second = try #require(receiver.accept())
    #expect(
      scene.round {
        second.read(within: 0)
        return $0.sent.flows == 30_000
      })
    second.read()
    #expect(second.collector.flows == 30_000)
  }

  @Test("a large spool of an earlier run is looked through file by file, while messages are taken and none is sent")
  func search() throws {
    let receiver = try #require(StreamReceiver())
    let directory = TemporaryDirectory()
    do {
      let spool = try Spool(directory.path, capacity: 1 << 20, segmentSize: 100, .never)
      for _ in 0..<50 { _ = try spool.append(HandMessage.data(5), isLoaded: false) { [HandMessage.template] } }
    }
    let spool = try Spool(directory.path, capacity: 1 << 20, segmentSize: 1 << 16, .never)
    let scene = try LoopScene("tcp://127.0.0.1:\(receiver.address.port)?spool=\(directory.path)", spool)
    for round in 1...50 {
      #expect(receiver.accept(within: 0) == nil)
      scene.take([HandMessage.template, HandMessage.data(1)])
      scene.loop.round()
      #expect(scene.delivery.statistics.delivery?.spool?.found.flows.flows == UInt64(5 * round))
      #expect(scene.loop.current.window.waitingOctets == round * (28 + 28))
    }
    let first = try #require(receiver.accept())
    #expect(scene.round { $0.sent.flows >= 250 && !$0.isConnected })
    first.read()
    #expect(first.collector.flows == 250)
    scene.loop.round()
    let second = try #require(receiver.accept())
    #expect(scene.round { $0.sent.flows == 300 })
    second.read()
    #expect(second.collector.flows == 50)
  }

  @Test("where the queue is smaller than an earlier run's files, there is room for what is new")
  func smallerQueue() throws {
    let receiver = try #require(StreamReceiver(buffer: 4096))
    let directory = TemporaryDirectory()
    do {
      let spool = try Spool(directory.path, capacity: 1 << 20, segmentSize: 1 << 19, .never)
      for _ in 0..<250 { _ = try spool.append(HandMessage.data(150), isLoaded: false) { [HandMessage.template] } }
    }
    let text = "tcp://127.0.0.1:\(receiver.address.port)?queue=65536&sndbuf=4096&spool=\(directory.path)"
    let scene = try LoopScene(text, try Spool(directory.path, capacity: 1 << 20, segmentSize: 8192, .never))
    #expect(scene.round { $0.isConnected })
    for _ in 0..<10 {
      scene.loop.round()
      scene.take([HandMessage.template, HandMessage.data(150)])
    }
    #expect(scene.delivery.statistics.delivery?.spool?.found.flows.flows == 37_500)
    #expect(scene.delivery.statistics.lost.flows == 0)
  }

  @Test("a file that cannot be removed is counted and told of, and holds up nothing that is to be written")
  func stuckFile() throws {
    let directory = TemporaryDirectory()
    let spool = try Spool(directory.path, capacity: 1 << 20, segmentSize: 1 << 16, .never)
    let scene = try LoopScene("tcp://127.0.0.1:9?spool=\(directory.path)", spool)
    let name = "0000000000000001-000000001.ipfix"
    unsafe mkdir("\(directory.path)/\(name)", 0o700)
    defer { unsafe _ = rmdir("\(directory.path)/\(name)") }
    spool.remove(SpoolSegment(name: name, run: "0000000000000001", isLoaded: true))
    scene.loop.keepUpSpool()
    #expect(scene.delivery.statistics.delivery?.spool?.failures == 1)
    #expect(scene.delivery.takeEvents().contains { $0.description.contains("cannot remove from spool") })
    #expect(scene.loop.nextSpooling <= scene.loop.clock())
  }

  @Test("a reset brings back what was not read, also of a connection that was to make way for an earlier run")
  func resetBehindOurEnd() throws {
    let receiver = try #require(StreamReceiver(buffer: 65_536))
    let directory = TemporaryDirectory()
    var other: Spool? = try Spool(directory.path, capacity: 1 << 20, segmentSize: 1 << 16, .never)
    _ = try other?.append(HandMessage.data(5), isLoaded: false) { [HandMessage.template] }
    let scene = try LoopScene("tcp://127.0.0.1:\(receiver.address.port)?sndbuf=16384&spool=\(directory.path)")
    scene.take([HandMessage.template] + (0..<200).map { _ in HandMessage.data(150) })
    scene.loop.round()
    let first = try #require(receiver.accept())
    scene.roundUntilStuck()
    other = nil
    scene.advance(seconds: 2)
    #expect(scene.round { $0.delivery?.spool?.found.flows.flows == 5 })
    #expect(scene.round { $0.isConnected })
    first.end()
    #expect(scene.round { !$0.isConnected })
    scene.advance(seconds: 1)
    scene.loop.round()
    var last = try #require(receiver.accept())
    #expect(
      scene.round {
        last.read(within: 0)
        if last.isAtEnd, last.collector.flows == 5, let next = receiver.accept(within: 0) { last = next }
        return $0.sent.flows == 30_005
      })
    last.read()
    #expect(last.collector.flows == 30_000)
  }
}
