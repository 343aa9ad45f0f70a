// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FuzzChecks

/// One input of fuzz-capture: a capture file metered and exported as the program does it with `-r`.
///
/// Settings: bits 0-1 IPFIX, NetFlow v9, NetFlow v5, JSON; 2 fragments are not tracked; 3 a table of 8 Flows;
/// 4 timeouts of a second; 5 the templates again with every message; 6 a filter; 7 MAC addresses are recorded.
struct CaptureRun: ~Copyable {
  private let settings: UInt8
  private let table: FlowTable
  private var ledger: FlowLedger
  private var buffer = FlowRecordBuffer()
  private var export: CheckedExport
  private var boot: Timestamp?

  init(settings: UInt8) {
    self.settings = settings
    var configuration = FlowTable.Configuration()
    configuration.maxFlows = settings & 8 == 0 ? 1000 : 8
    if settings & 16 != 0 {
      configuration.expiration.activeTimeout = .seconds(1)
      configuration.expiration.inactiveTimeout = .seconds(1)
    }
    // The same input does the same every time.
    configuration.hashSeed = 1
    table = try! FlowTable(configuration)
    ledger = FlowLedger(configuration.expiration)
    export = CheckedExport(settings & 3, refreshRate: settings & 32 == 0 ? nil : 1)
  }

  consuming func run(_ path: String) {
    let filter = settings & 64 == 0 ? "" : "ip or ip6 or vlan"
    let details = RecordedDetails(hardwareAddresses: settings & 128 != 0)
    guard let file = try? CaptureFile(path: path, filter: filter, details: details) else { return }
    let process = MeteringProcess(source: file, table: table, fragments: settings & 4 == 0 ? .track : .zero)
    meter(process)
    process.finish()
    takeEverything(at: process.latestPacket)

    let statistics = process.counters.statistics
    FlowLedger.check(statistics, waitingFragments: 0)
    ledger.checkEmptied(table, metered: statistics)
    require(table.statistics.lost.flows == 0, "records were lost, and the table was emptied whenever it was crowded")
    export.checkComplete(ledger.taken)
    require(statistics.observedPackets == Self.count(path, filter), "packets of the file were not metered")
  }

  private mutating func meter(_ process: MeteringProcess) {
    var tick = Int64.min
    while let (outcome, isCrowded) = try? process.meter(timeout: .zero) {
      let now = process.latestPacket
      if now.milliseconds >> 8 != tick || isCrowded {
        tick = now.milliseconds >> 8
        take(at: now)
      }
      if case .end = outcome { return }
    }
  }

  private mutating func take(at now: Timestamp) {
    let instant = instant(now)
    ledger.take(from: table, at: now, into: &buffer) { export.export($0, at: instant) }
    export.flush(at: instant)
  }

  private mutating func takeEverything(at now: Timestamp) {
    let instant = instant(now)
    ledger.takeEverything(from: table, at: now, into: &buffer) { export.export($0, at: instant) }
    export.flush(at: instant)
  }

  private mutating func instant(_ now: Timestamp) -> ExportInstant {
    let boot = boot ?? now.advanced(byMilliseconds: -3_600_000)
    self.boot = boot
    return ExportInstant(now: now, boot: boot)
  }

  /// How many packets the file has, by a plain reading.
  private static func count(_ path: String, _ filter: String) -> UInt64 {
    guard let file = try? CaptureFile(path: path, filter: filter) else { return 0 }
    var batch = PacketBatch(fragments: .zero)
    while let outcome = try? file.receive(timeout: .zero, into: &batch) {
      if case .end = outcome { break }
      batch.reset(at: nil)
    }
    return batch.statistics.observedPackets
  }
}
