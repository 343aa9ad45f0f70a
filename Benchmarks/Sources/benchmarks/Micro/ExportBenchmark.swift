// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket calls on a descriptor and messages of ours.

internal import FlowExport
internal import FlowMeter
internal import Glibc

/// From flows that have ended to datagrams on the loopback: one exporting thread, all in all, against a hand-written
/// encoder and a `send` for each message.
enum ExportBenchmark {
  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("export: ended flows out of the table, encoded and sent to a UDP socket; CPU ns a record")
    let collector = try CollectorSocket()
    let (mine, theirs) = (try Exporting(collector, settings), try Sending(settings))
    let comparison = try Comparison(
      "IPFIX, \(grouped(settings.flows / 4)) records", rounds: settings.rounds, flowprobe: mine.pass,
      other: theirs.pass)
    var table = TextTable(
      Comparison.columns("one thread", other: "pointers and send") + ["records a second, flowprobe", "the other"])
    table.append(
      comparison.row
        + [comparison.flowprobe, comparison.other].map { grouped(Int(1e9 / median($0))) })
    table.print()
  }

  /// Flows in a table, again and again.
  private final class Flows {
    let counting = TableCounting(limit: nil)
    private let ring = BatchRing(.ipv4)
    private let count: Int
    private(set) var now = TablePass.time(0)

    init(_ settings: Settings) { count = settings.flows / 4 }

    /// All end at ``now``.
    func fill() -> Int {
      var number = 0
      let begin = now
      while number < count {
        ring.fill(at: begin) {
          defer { number += 1 }
          return number
        }
        ring.update(counting)
      }
      now = begin.advanced(byMilliseconds: Timeouts.inactive * 1000 + 1000)
      return number
    }

    var instant: ExportInstant { ExportInstant(now: now, boot: TablePass.time(0)) }
  }

  private final class Exporting {
    private let flows: Flows
    private let exporting: ExportingProcess
    private let collector: CollectorSocket

    init(_ collector: CollectorSocket, _ settings: Settings) throws(BenchmarkError) {
      (self.collector, flows) = (collector, Flows(settings))
      var configuration = ExportConfiguration()
      configuration.exportRate = 0
      let destination = try! ExportDestination("127.0.0.1:\(collector.port)", defaults: configuration)
      exporting = ExportingProcess(table: flows.counting.table, consumers: [CollectorExporter(to: destination)])
    }

    func pass() -> Measurement {
      let count = flows.fill()
      // The collector keeps its templates.
      let before = collector.counter.totals.flows
      var watch = Stopwatch()
      watch.start()
      exporting.export(at: flows.instant)
      watch.stop()
      while collector.receive(forMilliseconds: 0) {}
      precondition(collector.counter.totals.flows - before == UInt64(count), "records were lost")
      return Measurement(nanoseconds: watch.nanoseconds, operations: count, result: FlowTotals(flows: UInt64(count)))
    }
  }

  private final class Sending {
    private let flows: Flows
    /// To a socket of its own, where they are thrown away.
    private let collector: CollectorSocket
    private let descriptor: Int32
    private var encoder = PointerEncoder<IPFIXLayout>(sequence: 0, set: 256)
    private var buffer = FlowRecordBuffer()

    init(_ settings: Settings) throws(BenchmarkError) {
      (collector, flows) = (try CollectorSocket(), Flows(settings))
      descriptor = try collector.connected()
    }

    deinit { close(descriptor) }

    func pass() -> Measurement {
      let count = flows.fill()
      var (sweep, more, taken) = (FlowTableSweep(), true, 0)
      var watch = Stopwatch()
      watch.start()
      while more {
        more = flows.counting.table.takeExpired(at: flows.now, sweep: &sweep, into: &buffer)
        encoder.encode(buffer, at: flows.instant) { message in
          unsafe message.withUnsafeBytes { unsafe _ = send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        }
        taken += buffer.count
        buffer.removeAll()
      }
      watch.stop()
      while collector.receive(forMilliseconds: 0) {}
      return Measurement(nanoseconds: watch.nanoseconds, operations: taken, result: FlowTotals(flows: UInt64(count)))
    }
  }
}
