// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import Synchronization

/// Reading a capture file.
extension Probe {
  /// One thread does all, until the file is read or a signal comes.
  func runFile(_ configuration: ProbeConfiguration) throws(SystemError) {
    guard let source = parts.withLock({ $0.sources }).first else { return }
    let name = "meter \(source.name.split(separator: "/").last ?? "")"
    let processor = configuration.meteringProcessor(0) ?? configuration.exportProcessor
    let worker = try WorkerThread(name: name, processor: processor) {
      self.readFile(source)
      Signals.wakeMain()
    }
    notifier.ready()
    Signals.waitForEnd(on: { _ in }) { stop() }
    worker.interruptAndJoin()
  }

  /// Meters and exports on one thread: the export sets the pace, and the packets' times are the clock.
  private func readFile(_ source: MeteredSource) {
    guard let file = source.source as? CaptureFile else { return }
    let process = source.lanes[0].process
    var progress = ReadingProgress(file)
    var clock = FileClock()
    var tick = Int64.min
    do throws(CaptureError) {
      while !isStopping.load(ordering: .relaxed) {
        let (outcome, isCrowded) = try process.meter(timeout: .seconds(1))
        let now = process.latestPacket
        let isNewTick = now.milliseconds >> 8 != tick
        if isNewTick || isCrowded {
          tick = now.milliseconds >> 8
          exporting.export(at: clock.instant(of: process), flush: isNewTick)
        }
        if case .end = outcome { break }
        progress.show(process.counters)
      }
    } catch {
      if !isStopping.load(ordering: .relaxed) {
        hasFailed.store(true, ordering: .relaxed)
        Console.say(error.description, .error)
      }
    }
    process.finish()
    exporting.export(at: clock.instant(of: process), everything: true)
    finishDeliveries()
    // Of a file there is no later chance.
    let parts = parts.withLock { $0 }
    if parts.table.statistics.lost.flows > 0 || parts.collectors.contains(where: { $0.statistics.hasLoss }) {
      hasFailed.store(true, ordering: .relaxed)
    }
  }
}

extension ExportStatistics {
  /// Whether Flows are lost, or would be with the process: what waits is in memory alone where a disk holds its thread up.
  var hasLoss: Bool {
    lost.flows > 0 || files?.unfinished ?? 0 > 0 || delivery?.queued.flows.flows ?? 0 > 0
  }
}
