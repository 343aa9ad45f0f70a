// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads octets out of the messages at hand, checked against their ends.

internal import FlowExport
internal import FlowMeter

/// From flow records to messages: the encoders, against the same messages written by hand.
enum EncodeBenchmark {
  private static let instant = ExportInstant(
    now: Timestamp(milliseconds: 1_700_000_100_000), boot: Timestamp(milliseconds: 1_699_996_000_000))

  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("encode: records of IPv4 and TCP into messages, against the same octets written by pointers")
    var table = TextTable(Comparison.columns("CPU ns a record", other: "pointers"))
    table.append(try compare(IPFIXLayout.self, settings))
    table.append(try compare(NetFlow9Layout.self, settings))
    table.append(try compare(NetFlow5Layout.self, settings))
    table.print()
  }

  private static func compare<Layout: PointerLayout>(_ layout: Layout.Type, _ settings: Settings) throws(BenchmarkError)
    -> Row
  {
    let records = makeRecords()
    let encoder = makeEncoder(Layout.exportProtocol)
    // What comes first has the templates.
    var first: [UInt8] = []
    encoder.encode(records, at: instant) { message in
      if first.isEmpty, isData(message, Layout.exportProtocol) { first = octets(of: message) }
    }
    let sequence = first[Layout.sequenceOffset..<Layout.sequenceOffset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    let setPlace = Layout.headerLength - 4
    let set = UInt16(first[setPlace]) << 8 | UInt16(first[setPlace + 1])
    var pointers = PointerEncoder<Layout>(sequence: sequence, set: set)
    var written: [UInt8] = []
    pointers.encode(records, at: instant) { message in
      if written.isEmpty { written = octets(of: message) }
    }
    guard first == written else {
      throw BenchmarkError("the octets of \(Layout.exportProtocol.name) have changed; change PointerLayouts.swift too")
    }

    let repeats = max(1, settings.operations / records.count)
    return try Comparison(
      Layout.exportProtocol.name, rounds: settings.rounds,
      flowprobe: {
        pass(records, repeats) { encoder.encode(records, at: instant, $0) }
      },
      other: {
        pass(records, repeats) { pointers.encode(records, at: instant, $0) }
      }
    ).row
  }

  private static func pass(
    _ records: borrowing FlowRecordBuffer, _ repeats: Int, _ encode: ((RawSpan) -> Void) -> Void
  ) -> Measurement {
    var sent = FlowTotals()
    var watch = Stopwatch()
    watch.start()
    for _ in 0..<repeats {
      encode { message in
        sent.flows += 1
        sent.octets += UInt64(message.byteCount)
      }
    }
    watch.stop()
    return Measurement(nanoseconds: watch.nanoseconds, operations: repeats * records.count, result: sent)
  }

  private static func makeEncoder(_ exportProtocol: ExportProtocol) -> FlowMessageEncoder {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = exportProtocol
    // Once is enough.
    configuration.refreshRate = 1_000_000
    return FlowMessageEncoder(configuration)
  }

  private static func makeRecords() -> FlowRecordBuffer {
    var records = FlowRecordBuffer()
    var random = SplitMix(seed: 3)
    while !records.isFull {
      let conversation = Conversation(number: records.count, .ipv4)
      var record = FlowRecord()
      record.key.source = IPAddress(IPv4Octets(storage: conversation.source.bigEndian))
      record.key.destination = IPAddress(IPv4Octets(storage: conversation.destination.bigEndian))
      (record.key.sourcePort, record.key.destinationPort) = (conversation.sourcePort, conversation.destinationPort)
      record.key.protocol = .tcp
      record.packets = UInt64(1 + random.below(1000))
      record.octets = record.packets * UInt64(40 + random.below(1400))
      record.start = instant.now.advanced(byMilliseconds: -Int64(10_000 + random.below(50_000)))
      record.end = instant.now.advanced(byMilliseconds: -Int64(random.below(10_000)))
      (record.tcpControlBits, record.endReason) = (0x1b, .endOfFlowDetected)
      records.append(record)
    }
    return records
  }

  private static func octets(of message: RawSpan) -> [UInt8] {
    (0..<message.byteCount).map { unsafe message.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
  }

  /// Whether a message has flow records and no templates.
  private static func isData(_ message: RawSpan, _ exportProtocol: ExportProtocol) -> Bool {
    let octets = octets(of: message)
    return switch exportProtocol {
    case .ipfix: octets[16] != 0
    case .netFlow9: octets[20] != 0
    case .netFlow5: true
    }
  }
}
