// SPDX-License-Identifier: Apache-2.0

internal import CAllocations
internal import FlowExport
internal import FlowMeter

/// How much memory a flow takes, and that a packet takes none.
struct MemoryBenchmark {
  /// What a flow may cost, in bytes.
  private static let limits: [(name: String, mixture: Conversation.Mixture, limit: Double)] = [
    ("a flow of IPv4", .ipv4, 128), ("a flow of IPv6", .ipv6, 176),
  ]

  private let settings: Settings

  static func run(_ settings: Settings) throws(BenchmarkError) {
    let benchmark = MemoryBenchmark(settings: settings)
    benchmark.flows()
    try benchmark.allocations()
  }

  private func flows() {
    say("memory: resident bytes in a new table with \(grouped(settings.flows)) flows")
    var table = TextTable(
      ["bytes", "flowprobe", "Dictionary", "flowprobe / Dictionary", "limit", "flowprobe / limit"])
    for (name, mixture, limit) in Self.limits {
      let ring = BatchRing(mixture)
      let mine = Self.bytesPerFlow(settings.flows, ring) { TableCounting(limit: nil) }
      let theirs = Self.bytesPerFlow(settings.flows, ring) { DictionaryCounting(limit: nil) }
      table.append([
        name, decimal(mine, 1), decimal(theirs, 1), decimal(mine / theirs, 2), decimal(limit, 0),
        decimal(mine / limit, 2) + (mine > limit ? " TOO MUCH" : ""),
      ])
    }
    table.print()
  }

  private static func bytesPerFlow(_ flows: Int, _ ring: BatchRing, _ make: () -> some FlowCounting) -> Double {
    let before = ResidentMemory.bytes
    let subject = make()
    TablePass.add(flows: flows, to: subject, ring)
    let after = ResidentMemory.bytes
    let counted = subject.takeExpired(at: TablePass.time(flows), everything: true)
    return Double(after - before) / Double(counted.flows)
  }

  /// Counts what malloc is asked for in a second pass, when everything has its size.
  private func allocations() throws(BenchmarkError) {
    try Self.checkCounter()
    say("allocations: calls of malloc and its siblings once warm")
    var table = TextTable(["once warm", "operations", "calls", "bytes", "calls an operation"])
    let ring = BatchRing(.mixed)
    let subject = TableCounting(limit: nil)
    let flows = min(settings.flows, settings.operations) / 4
    var first = 0
    func meter() -> Int {
      let pass = TablePass.run(subject, ring, packets: settings.operations, from: first) { _, packet in packet % flows }
      first += pass.operations
      return pass.operations
    }
    // With the templates again every 20 messages, as by default.
    let encoder = FlowMessageEncoder(ExportConfiguration())
    var buffer = FlowRecordBuffer()
    func export() -> Int {
      Self.export(subject.table, with: encoder, &buffer, at: TablePass.time(first))
    }
    _ = (meter(), export())
    table.append(Self.count("packets decoded and counted", meter))
    table.append(Self.count("records taken out and encoded, with templates", export))
    table.print()
  }

  private static func count(_ name: String, _ body: () -> Int) -> Row {
    let before = callocations_of_thread()
    let operations = body()
    let after = callocations_of_thread()
    let calls = after.calls - before.calls
    return [
      name, grouped(operations), grouped(calls), grouped(after.bytes - before.bytes),
      decimal(Double(calls) / Double(operations), 6),
    ]
  }

  private static func export(
    _ table: FlowTable, with encoder: FlowMessageEncoder, _ buffer: inout FlowRecordBuffer, at now: Timestamp
  ) -> Int {
    let instant = ExportInstant(now: now, boot: now.advanced(byMilliseconds: -3_600_000))
    var (sweep, more, records, octets) = (FlowTableSweep(), true, 0, 0)
    while more {
      more = table.takeExpired(at: now, everything: true, sweep: &sweep, into: &buffer)
      records += buffer.count
      encoder.encode(buffer, at: instant) { octets += $0.byteCount }
      buffer.removeAll()
    }
    precondition(octets > records * 40)
    return records
  }

  /// A counter that counts nothing would prove anything.
  private static func checkCounter() throws(BenchmarkError) {
    let before = callocations_of_thread().calls
    let array = [UInt8](repeating: UInt8(truncatingIfNeeded: before), count: 5000)
    guard callocations_of_thread().calls > before, array.last != nil else {
      throw BenchmarkError("the allocations of Swift's runtime do not come by this program's malloc")
    }
  }
}
