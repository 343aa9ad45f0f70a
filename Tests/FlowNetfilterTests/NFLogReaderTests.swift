// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter
@testable import FlowNetfilter

@Suite("Reading datagrams of NFLOG groups")
struct NFLogReaderTests {
  /// 18:42:40 of the day on which the packets were recorded.
  private static let now = Timestamp(milliseconds: 1_795_286_560_000)

  /// Reads datagrams, a batch each round as the source does, and shows every batch.
  private func read(
    _ datagrams: [[UInt8]], _ reader: inout NFLogReader, at now: Timestamp = now,
    _ body: (borrowing PacketBatch) -> Void = { _ in }
  ) -> MeteringStatistics {
    var batch = PacketBatch()
    for datagram in datagrams {
      reader.begin(octets: datagram.count)
      repeat {
        batch.reset(at: batch.latest)
        unsafe reader.read(datagram.span.bytes, at: LiveClock(now: now, shift: 0), into: &batch)
        body(batch)
      } while !reader.isAtEnd
    }
    return batch.statistics
  }

  private func packets(_ names: [String], at now: Timestamp = now) -> [PacketObservation] {
    var (reader, packets) = (NFLogReader(), [PacketObservation]())
    _ = read(names.map { RecordedMessage.nflog($0).octets }, &reader, at: now) { batch in
      for i in 0..<batch.count { packets.append(batch[i]) }
    }
    return packets
  }

  @Test("packets are metered with their ends, interfaces and VLAN tag, and the octets that their IP header tells of")
  func metered() {
    let packets = packets([
      "PREROUTING, marked, with a prefix", "PREROUTING, IPv6", "FORWARD, cut after 160 octets", "OUTPUT, of user 1000",
      "bridge, VLAN 100 with priority 5",
    ])
    #expect(packets.map(\.octets) == [36, 56, 428, 36, 36])
    #expect(packets.map(\.key.destinationPort) == [9001, 9001, 9002, 9004, 9005])
    #expect(packets.map(\.key.ingressInterface) == [2, 2, 2, 0, 4])
    #expect(packets.map(\.egressInterface) == [0, 0, 3, 3, 4])
    #expect(packets.map(\.key.outerTag) == [0, 0, 0, 0, 0xa064])
    #expect(packets.map(\.key.version) == [.v4, .v6, .v4, .v4, .v4])
    #expect(packets.map { $0.key.source.text($0.key.version) }.prefix(3) == ["10.1.0.2", "2001:db8:1::2", "10.1.0.2"])
  }

  @Test("a packet has its stamp's time; without a stamp, or with one far from now, that of its datagram's arrival")
  func times() {
    let names = ["PREROUTING, IPv6", "FORWARD, four packets", "OUTPUT, of user 1000"]
    // tshark: 18:42:34.271123, 18:42:36.646912, .647075, .647184, .647268, none.
    #expect(
      packets(names).map(\.time.milliseconds) == [
        1_795_286_554_271, 1_795_286_556_646, 1_795_286_556_647, 1_795_286_556_647, 1_795_286_556_647,
        1_795_286_560_000,
      ])
    let later = Timestamp(milliseconds: 1_795_286_600_000)
    #expect(packets(names, at: later).allSatisfy { $0.time == later })
  }

  /// The details of the one packet of a message.
  private func detail(_ name: String, _ wanted: RecordedDetails) -> PacketDetail {
    var (reader, detail) = (NFLogReader(details: wanted), PacketDetail())
    _ = read([RecordedMessage.nflog(name).octets], &reader) { detail = $0.detail(of: 0) ?? PacketDetail() }
    return detail
  }

  @Test("a bridge's ports are recorded always; addresses, mark and user where they are asked for")
  func details() {
    let everything = RecordedDetails(hardwareAddresses: true, mark: true, userID: true)
    let bridged = "bridge, VLAN 100 with priority 5"
    let ports = detail(bridged, RecordedDetails())
    #expect([ports.ingressPhysicalInterface, ports.egressPhysicalInterface] == [2, 3])
    #expect(ports.sourceMACAddress.isZero && ports.destinationMACAddress.isZero && ports.userID == nil)
    let whole = detail(bridged, everything)
    #expect(whole.sourceMACAddress.text == "02:00:00:00:00:01")
    #expect(whole.destinationMACAddress.text == "02:00:00:00:00:02")
    #expect(whole.userID == 0)
    let marked = "PREROUTING, marked, with a prefix"
    #expect(detail(marked, everything).mark == 0x2a)
    #expect(detail(marked, RecordedDetails()).isEmpty)
    #expect(detail("OUTPUT, of user 1000", everything).userID == 1000)
    #expect(detail("OUTPUT, of user 1000", everything).sourceMACAddress.isZero)
    #expect(detail("OUTPUT, of user 1000", RecordedDetails()).isEmpty)
  }

  /// A datagram of so many packets, numbered from `first`, and its end.
  private func datagram(_ count: Int, from first: UInt32 = 0) -> [UInt8] {
    let packet = RecordedMessage.nflog("FORWARD, cut after 160 octets").octets
    let place = packet.indices.first { packet[$0...].starts(with: [8, 0, 12, 0]) }! + 4
    return (0..<UInt32(count)).flatMap { number in
      let octets = (0..<4).map { UInt8(truncatingIfNeeded: (first &+ number) >> (24 - 8 * $0)) }
      return packet[..<place] + octets + packet[(place + 4)...]
    } + message(NetlinkMessage.done, [0, 0, 0, 0])
  }

  @Test("a datagram of more packets than a batch takes is read in as many rounds as that needs")
  func rounds() {
    var (reader, counts) = (NFLogReader(), [Int]())
    let statistics = read([datagram(300)], &reader) { counts.append($0.count) }
    #expect(counts == [256, 44])
    #expect(statistics.meteredPackets == 300)
    #expect(reader.losses.packets == 0)
    #expect(reader.isAtEnd)
  }

  @Test("numbers that are skipped within and between datagrams are packets that the kernel dropped")
  func losses() {
    var reader = NFLogReader()
    _ = read([datagram(3), datagram(2, from: 10)], &reader)
    #expect(reader.losses.packets == 7)
    _ = read([datagram(1, from: 12) + datagram(1, from: 14)], &reader)
    #expect(reader.losses.packets == 8)
  }

  @Test("messages that are no logged packet are passed over")
  func others() {
    var reader = NFLogReader()
    let octets =
      message(NetlinkMessage.error, [0, 0, 0, 0]) + message(0x0401, [2, 0, 0, 0]) + message(0x0400, [])
      + RecordedMessage.conntrack("new: UDP over IPv4, source translated").octets + datagram(1)
    #expect(read([octets], &reader).observedPackets == 1)
  }

  @Test("a message without a packet is counted as one that cannot be metered")
  func empty() {
    var reader = NFLogReader()
    let statistics = read([message(0x0400, [2, 0, 0, 0] + attribute(1, [8, 0, 0, 0]))], &reader)
    #expect(statistics.observedPackets == 1)
    #expect(statistics.meteredPackets == 0)
    #expect(statistics.unmeteredPackets == 1)
  }

  /// A logged packet to which the kernel has attached its connection. Not recorded: the kernel of the other messages was
  /// built without what attaches it (NETFILTER_NETLINK_GLUE_CT). The attributes are those of a recorded message of
  /// conntrack, nested in NFULA_CT (18) as nfnetlink_log nests them.
  private func withConnection(_ name: String) -> [UInt8] {
    let packet = RecordedMessage.nflog("FORWARD, cut after 160 octets").octets
    let connection = RecordedMessage.conntrack(name).octets
    return message(0x0400, Array(packet[16...]) + attribute(0x8012, Array(connection[20...])))
  }

  @Test("the connection that the kernel attaches to a packet is shown to those who complete records")
  func connections() {
    let translations = NATTable()
    var reader = NFLogReader(translations)
    let statistics = read(
      [
        withConnection("new: UDP over IPv4, source translated"), withConnection("new: UDP over IPv4, not translated"),
        withConnection("new: TCP over IPv6, destination translated"),
      ], &reader)
    #expect(statistics.meteredPackets == 3)
    #expect(translations.statistics.held == 2)
    #expect(translations.statistics.active == 0)

    var record = FlowRecord()
    (record.key.source, record.key.destination) = (address("10.1.0.2"), address("198.51.100.2"))
    (record.key.sourcePort, record.key.destinationPort, record.key.protocol) = (40001, 53, .udp)
    record.start = Self.now
    var buffer = FlowRecordBuffer(capacity: 1)
    buffer.append(record)
    translations.annotate(&buffer)
    let source = buffer[0].postNATSource
    #expect(source == address("203.0.113.7"))
    let port = buffer[0].postNAPTSourcePort
    #expect(port == 1053)

    var without = NFLogReader()
    #expect(read([withConnection("new: UDP over IPv4, source translated")], &without).meteredPackets == 1)
  }

  @Test("a datagram cut anywhere, or with any octet another, gives no more packets than it has, and all are counted")
  func hostile() {
    let translations = NATTable()
    for octets in [datagram(2), withConnection("new: ICMPv6, source and identifier translated")] {
      var wrong = 0
      forEachDamage(octets) { damaged in
        var (reader, waiting) = (NFLogReader(translations), 0)
        let statistics = read([damaged], &reader) { waiting = $0.waitingFragments }
        let counted = statistics.meteredPackets + statistics.unmeteredPackets + UInt64(waiting)
        if statistics.observedPackets != counted || counted > 2 { wrong += 1 }
      }
      #expect(wrong == 0)
    }
  }
}
