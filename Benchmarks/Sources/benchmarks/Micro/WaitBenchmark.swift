// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import Glibc
internal import Synchronization

/// How long packets wait to be metered while the table is at its worst: a million flows end in one moment and are
/// exported over UDP, or the table grows from nothing with a flow for every packet.
///
/// One thread meters packets that come at a steady rate, another exports a few times a second, as in the program.
enum WaitBenchmark {
  static let packetsPerSecond = 500_000

  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("wait: from a packet's coming to its being counted, at \(grouped(packetsPerSecond)) packets a second; µs")
    let columns = ["packets that come", "median", "99 %", "99.9 %", "longest", "the moment lasts, ms"]
    var table = TextTable(columns)
    let collector = try CollectorSocket()
    for (name, ending, flood) in [
      ("while \(grouped(settings.flows)) flows end at once", settings.flows, false),
      ("while the table grows from nothing", 0, true),
    ] {
      var (calm, worst) = (WaitDistribution(), WaitDistribution())
      var moments: [Double] = []
      for _ in 0..<settings.rounds {
        let run = WaitRun(ending: ending, isFlood: flood, collector: collector.port)
        run.go()
        calm.add(run.calm)
        worst.add(run.worst)
        moments.append(Double(run.moment) / 1e6)
        collector.reset()
      }
      if !flood { table.append(row("else", calm, "")) }
      table.append(row(name, worst, decimal(median(moments), 0)))
    }
    table.print()
  }

  private static func row(_ name: String, _ waits: WaitDistribution, _ moment: String) -> Row {
    let quantiles = [0.5, 0.99, 0.999].map { decimal(Double(waits.quantile($0)) / 1000, 1) }
    return [name] + quantiles + [decimal(Double(waits.longest) / 1000, 1), moment]
  }
}

/// Three seconds of metering and exporting.
private final class WaitRun: @unchecked Sendable {
  private static let seconds = 3
  /// The table's time when the metering begins: the flows that end do so a second later.
  private static let begin = TablePass.time(0).advanced(byMilliseconds: Timeouts.inactive * 1000 - 1000)

  private let table: FlowTable
  private let exporting: ExportingProcess
  private let list: PacketList
  private let ending: Int
  private let start = Atomic<UInt64>(0)
  private let isOver = Atomic(false)
  private let isWorst = Atomic(false)

  /// Of packets that came in the moment that is looked at, and of all others.
  private(set) var worst = WaitDistribution()
  private(set) var calm = WaitDistribution()
  /// How long it lasted. Nanoseconds.
  private(set) var moment: UInt64 = 0

  init(ending: Int, isFlood: Bool, collector port: UInt16) {
    let counting = TableCounting(limit: 4_000_000)
    table = counting.table
    var configuration = ExportConfiguration()
    configuration.exportRate = 0
    let destination = try! ExportDestination("127.0.0.1:\(port)", defaults: configuration)
    exporting = ExportingProcess(table: table, consumers: [CollectorExporter(to: destination)])
    self.ending = ending
    let packets = Self.seconds * WaitBenchmark.packetsPerSecond
    list = PacketList(isFlood ? .flood : .mix, packets: isFlood ? packets : packets / 4)
    isWorst.store(isFlood, ordering: .relaxed)
    guard ending > 0 else { return }
    var number = 1 << 23
    let ring = BatchRing(.ipv4)
    while number < 1 << 23 + ending {
      ring.fill(at: TablePass.time(0)) {
        defer { number += 1 }
        return number
      }
      ring.update(counting)
    }
  }

  func go() {
    start.store(Clock.nanoseconds, ordering: .releasing)
    let exporter = try! WorkerThread(name: "export", processor: 1) { self.export() }
    let meter = try! WorkerThread(name: "meter", processor: 0) { self.meter() }
    meter.join()
    isOver.store(true, ordering: .relaxed)
    exporter.join()
    if ending == 0 { moment = Clock.nanoseconds - start.load(ordering: .relaxed) }
  }

  private var now: Timestamp {
    Self.begin.advanced(byMilliseconds: Int64((Clock.nanoseconds - start.load(ordering: .acquiring)) / 1_000_000))
  }

  private func export() {
    while !isOver.load(ordering: .relaxed) {
      let (now, began) = (now, Clock.nanoseconds)
      let ends = ending > 0 && moment == 0 && now.milliseconds > Self.begin.milliseconds + 1500
      if ends { isWorst.store(true, ordering: .relaxed) }
      // The flows that end do so in the first pass that looks for them.
      let time = moment == 0 && !ends && ending > 0 ? Self.begin : now
      exporting.export(at: ExportInstant(now: time, boot: Self.begin))
      if ends {
        isWorst.store(false, ordering: .relaxed)
        moment = Clock.nanoseconds - began
      }
      table.prepareMemory()
      usleep(100_000)
    }
  }

  private func meter() {
    let began = start.load(ordering: .acquiring)
    let interval = 1_000_000_000 / UInt64(WaitBenchmark.packetsPerSecond)
    let count = Self.seconds * WaitBenchmark.packetsPerSecond
    var batch = PacketBatch()
    var next = 0
    while next < count {
      let isWorstAtFirst = isWorst.load(ordering: .relaxed)
      let due = min(count, Int((Clock.nanoseconds - began) / interval))
      guard due > next else { continue }
      let packets = next..<min(due, next + PacketBatch.capacity)
      batch.reset(at: nil)
      list.append(packets, at: now, to: &batch)
      table.update(batch)
      let done = Clock.nanoseconds
      for packet in packets {
        let wait = done - (began + UInt64(packet) * interval)
        if isWorstAtFirst || isWorst.load(ordering: .relaxed) { worst.add(wait) } else { calm.add(wait) }
      }
      next = packets.upperBound
    }
  }
}
