// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc
internal import Synchronization

/// How much more several threads meter than one: each decodes packets that lie in memory, those of its own
/// conversations as the kernel's fan-out gives them, and adds them to its flows.
///
/// In real time, not CPU time: a thread that waits for another one's lock costs none.
struct ThreadsBenchmark {
  private let settings: Settings

  static func run(_ settings: Settings) {
    let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    guard processors > 1 else { return say("threads: left out, as there is one processor\n") }
    say("threads: packets in memory, decoded and counted; million packets a second of real time")
    var table = TextTable([
      "threads", "one", "shared table", "shared / one", "a table each", "each / one",
    ])
    var threads = 2
    while threads <= processors {
      for kind in [TrafficKind.mix, .million, .elephants] {
        table.append(ThreadsBenchmark(settings: settings).row(kind, threads))
      }
      threads *= 2
    }
    table.print()
  }

  private func row(_ kind: TrafficKind, _ threads: Int) -> Row {
    let list = PacketList(kind, packets: settings.packets)
    let one = Crew([list.packets], list, sharing: true)
    let lanes = list.lanes(threads)
    let (shared, apart) = (Crew(lanes, list, sharing: true), Crew(lanes, list, sharing: false))
    var rates: (one: [Double], shared: [Double], apart: [Double]) = ([], [], [])
    for round in 0...settings.rounds {
      let (first, second, third) = (one.pass(), shared.pass(), apart.pass())
      // The first one made the flows.
      guard round > 0 else { continue }
      rates.one.append(first)
      rates.shared.append(second)
      rates.apart.append(third)
    }
    func ratio(_ rate: [Double]) -> String { decimal(median(zip(rate, rates.one).map { $0 / $1 }), 2) }
    return [
      "\(kind.rawValue), \(threads)", decimal(median(rates.one), 2), decimal(median(rates.shared), 2),
      ratio(rates.shared), decimal(median(rates.apart), 2), ratio(rates.apart),
    ]
  }
}

extension PacketList {
  /// The packets of the conversations of each of so many threads.
  fileprivate func lanes(_ count: Int) -> [[Packet]] {
    var lanes = [[Packet]](repeating: [], count: count)
    var batch = PacketBatch()
    for packet in packets {
      batch.reset(at: nil)
      append(packet, at: packet.time, to: &batch)
      let key = batch[0].key
      // The same for both directions, as the kernel's is.
      let ends = key.source.hashValue ^ key.destination.hashValue
      lanes[Int(UInt(bitPattern: ends) >> 32) % count].append(packet)
    }
    return lanes
  }
}

/// Threads that meter, one a lane, into one table or one each.
private final class Crew: Sendable {
  private let lanes: [[PacketList.Packet]]
  private let list: PacketList
  private let tables: [FlowTable]

  init(_ lanes: [[PacketList.Packet]], _ list: PacketList, sharing: Bool) {
    (self.lanes, self.list) = (lanes, list)
    var configuration = FlowTable.Configuration()
    configuration.expiration.activeTimeout = .seconds(Timeouts.active)
    configuration.expiration.inactiveTimeout = .seconds(Timeouts.active)
    let first = try! FlowTable(configuration)
    tables = lanes.indices.map { sharing || $0 == 0 ? first : try! FlowTable(configuration) }
  }

  /// All packets once. Million packets a second.
  func pass() -> Double {
    let gate = Gate()
    let threads = lanes.indices.map { lane in
      try! WorkerThread(name: "meter \(lane)", processor: lane) {
        gate.wait()
        self.meter(lane)
      }
    }
    let began = gate.open(for: lanes.count)
    for thread in threads { thread.join() }
    let packets = lanes.reduce(0) { $0 + $1.count }
    return Double(packets) * 1000 / Double(Clock.nanoseconds - began)
  }

  private func meter(_ lane: Int) {
    var batch = PacketBatch()
    for packet in lanes[lane] {
      list.append(packet, at: packet.time, to: &batch)
      if batch.isFull {
        tables[lane].update(batch)
        batch.reset(at: batch.latest)
      }
    }
    tables[lane].update(batch)
  }
}

/// Where threads wait for one another before they begin.
private final class Gate: Sendable {
  private let waiting = Atomic(0)
  private let isOpen = Atomic(false)

  func wait() {
    waiting.add(1, ordering: .relaxed)
    while !isOpen.load(ordering: .acquiring) { usleep(50) }
  }

  /// Once so many wait. Returns when that was.
  func open(for count: Int) -> UInt64 {
    while waiting.load(ordering: .relaxed) < count { usleep(100) }
    isOpen.store(true, ordering: .releasing)
    return Clock.nanoseconds
  }
}
