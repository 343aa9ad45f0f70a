// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: makes spans and pointers of packets that lie in one array of octets, by the offsets and lengths with which
// they were put there.

internal import FlowMeter

/// From the bytes of a packet to what it adds to a flow: ``PacketBatch`` against ``PointerDecoder``.
enum DecodeBenchmark {
  /// More than any branch predictor learns by heart.
  private static let packets = 65_536

  static func run(_ settings: Settings) throws(BenchmarkError) {
    say("decode: packets in memory into a batch, against the same walk by unsafe pointers")
    var table = TextTable(Comparison.columns("CPU ns a packet", other: "pointers"))
    for (kind, name) in [(TrafficKind.mix, "mix of IPv4, IPv6, TCP, UDP, ICMP"), (.flood, "TCP over IPv4 alone")] {
      let list = PacketList(kind, packets: packets)
      verify(list)
      let repeats = max(1, settings.operations / packets)
      table.append(
        try Comparison(
          name, rounds: settings.rounds, flowprobe: { flowprobe(list, repeats) }, other: { pointers(list, repeats) }
        ).row)
    }
    table.print()
  }

  private static func flowprobe(_ list: PacketList, _ repeats: Int) -> Measurement {
    var batch = PacketBatch()
    let ethernet = LinkType.ethernet
    var watch = Stopwatch()
    unsafe list.octets.withUnsafeBytes { octets in
      watch.start()
      for _ in 0..<repeats {
        for packet in list.packets {
          if batch.isFull { batch.reset(at: batch.latest) }
          unsafe batch.append(
            RawSpan(_unsafeStart: octets.baseAddress! + packet.offset, byteCount: packet.capturedLength),
            CaptureMetadata(time: packet.time, wireLength: packet.wireLength, linkType: ethernet))
        }
      }
      watch.stop()
    }
    let counted = FlowTotals(packets: batch.statistics.meteredPackets, octets: batch.statistics.meteredOctets)
    return Measurement(nanoseconds: watch.nanoseconds, operations: repeats * list.packets.count, result: counted)
  }

  private static func pointers(_ list: PacketList, _ repeats: Int) -> Measurement {
    var decoder = PointerDecoder()
    var watch = Stopwatch()
    unsafe list.octets.withUnsafeBytes { octets in
      watch.start()
      for _ in 0..<repeats {
        for packet in list.packets {
          if decoder.isFull { decoder.removeAll() }
          unsafe decoder.append(
            octets.baseAddress! + packet.offset, packet.capturedLength, wireLength: packet.wireLength,
            at: packet.time)
        }
      }
      watch.stop()
    }
    return Measurement(
      nanoseconds: watch.nanoseconds, operations: repeats * list.packets.count,
      result: FlowTotals(packets: decoder.packets, octets: decoder.octets))
  }

  /// Both sides read the same out of every packet.
  private static func verify(_ list: PacketList) {
    var batch = PacketBatch()
    var decoder = PointerDecoder()
    for packet in list.packets {
      batch.reset(at: nil)
      decoder.removeAll()
      let end = packet.offset + packet.capturedLength
      unsafe batch.append(
        list.octets.span.bytes.extracting(packet.offset..<end),
        CaptureMetadata(time: packet.time, wireLength: packet.wireLength, linkType: .ethernet))
      unsafe list.octets.withUnsafeBytes {
        unsafe decoder.append(
          $0.baseAddress! + packet.offset, packet.capturedLength, wireLength: packet.wireLength, at: packet.time)
      }
      precondition(batch.count == 1 && decoder.count == 1)
      let (mine, theirs) = (batch[0], decoder.last)
      precondition(
        mine.key == theirs.key && mine.octets == theirs.octets && mine.time == theirs.time
          && mine.tcpControlBits == theirs.tcpControlBits && mine.flowLabel == theirs.flowLabel,
        "the two decoders read different things")
    }
  }
}
