// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Details of packets")
struct PacketDetailTests {
  static let vectors = #filePath.replacing("FlowMeterTests/PacketDetailTests.swift", with: "Collectors/vectors.pcap")

  @Test("a detail has 32 octets, an address six, a direction one though it may be unknown")
  func layout() {
    #expect(MemoryLayout<PacketDetail>.size == 32)
    #expect(MemoryLayout<MACAddress>.size == 6)
    #expect(MemoryLayout<FlowDirection?>.size == 1)
  }

  @Test("any one value makes a detail one, also user 0")
  func isEmpty() {
    let changes: [(inout PacketDetail) -> Void] = [
      { $0.ingressPhysicalInterface = 1 }, { $0.egressPhysicalInterface = 1 },
      { $0.sourceMACAddress = MACAddress("02 00 00 00 00 00") },
      { $0.destinationMACAddress = MACAddress("00 00 00 00 00 01") }, { $0.mark = 1 }, { $0.userID = 0 },
    ]
    #expect(PacketDetail().isEmpty)
    for change in changes {
      var detail = PacketDetail()
      change(&detail)
      #expect(!detail.isEmpty)
    }
    var detail = PacketDetail()
    detail.userID = 7
    #expect(detail.userID == 7)
    detail.userID = nil
    #expect(detail.isEmpty)
  }

  @Test("a MAC address is written with colons")
  func text() {
    #expect(MACAddress("02 0a b0 00 00 ff").text == "02:0a:b0:00:00:ff")
    #expect(MACAddress().text == "00:00:00:00:00:00")
  }

  @Test("a packet has the detail that came with it, and an empty one is none")
  func batch() {
    var batch = PacketBatch()
    batch.append(Packets.udp, at: 0, detail: .numbered(1))
    batch.append(Packets.udp, at: 0)
    batch.append(Packets.udp, at: 0, detail: PacketDetail())
    #expect(batch.detail(of: 0) == .numbered(1))
    #expect(batch.detail(of: 1) == nil)
    #expect(batch.detail(of: 2) == nil)
  }

  @Test("fragments that wait for their first one keep direction and detail")
  func fragments() {
    var batch = PacketBatch()
    let fragments = FragmentTests.fragments()
    batch.append(fragments[2], at: 0, direction: .egress, detail: .numbered(3))
    batch.append(fragments[1], at: 0, direction: .egress)
    batch.append(Packets.tcp, at: 0, detail: .numbered(9))
    batch.append(fragments[0], at: 0, direction: .egress, detail: .numbered(1))
    #expect(FragmentTests.ports(batch) == [80, 2000, 2000, 2000])
    #expect((0..<4).map { batch.detail(of: $0) } == [.numbered(9), .numbered(1), .numbered(3), nil])
    #expect((0..<4).map { batch[$0].direction } == [nil, .egress, .egress, .egress])
  }

  @Test(
    "an Ethernet header has both addresses, a cooked one the sender's",
    arguments: [
      (LinkType.ethernet, "020000000002 020000000001 0800", "020000000002", "020000000001"),
      (.ethernet, "020000000002 020000000001 08", "000000000000", "000000000000"),
      (.linuxSLL, "0000 0001 0006 0200000000010000 0800", "000000000000", "020000000001"),
      (.linuxSLL, "0000 0001 0000 0200000000010000 0800", "000000000000", "000000000000"),
      (.linuxSLL2, "0800 0000 00000005 0001 00 06 0200000000010000", "000000000000", "020000000001"),
      (.linuxSLL2, "0800 0000 00000005 0001 00 06 02000000000100", "000000000000", "000000000000"),
      (.raw, "020000000002 020000000001 0800", "000000000000", "000000000000"),
    ])
  func hardwareAddresses(linkType: LinkType, header: String, destination: String, source: String) {
    let detail = unsafe LinkHeader.hardwareAddresses(Packets.octets(header).span.bytes, linkType)
    #expect(detail.destinationMACAddress == MACAddress(destination))
    #expect(detail.sourceMACAddress == MACAddress(source))
  }

  @Test("a capture's hardware addresses are recorded where asked for, and not else", arguments: [true, false])
  func file(isAsked: Bool) throws {
    let table = try FlowTable()
    let file = try CaptureFile(path: Self.vectors, details: RecordedDetails(hardwareAddresses: isAsked))
    let process = MeteringProcess(source: file, table: table)
    while case .more = try process.meter(timeout: .zero).outcome {}
    process.finish()
    var sweep = FlowTableSweep()
    var buffer = FlowRecordBuffer()
    #expect(!table.takeExpired(at: process.latestPacket, everything: true, sweep: &sweep, into: &buffer))
    #expect(buffer.count > 30)
    for i in 0..<buffer.count {
      #expect(buffer[i].detail.sourceMACAddress.text == (isAsked ? "02:00:00:00:00:01" : "00:00:00:00:00:00"))
      #expect(buffer[i].detail.destinationMACAddress.text == (isAsked ? "02:00:00:00:00:02" : "00:00:00:00:00:00"))
      #expect(buffer[i].detail.isEmpty != isAsked)
    }
  }
}

@Suite("Details of flows")
struct FlowDetailTests {
  private static let versions = [Packets.udp, Packets.udpIPv6]

  @Test("a flow has its first packet's direction and detail, whatever later ones have", arguments: versions)
  func first(packet: [UInt8]) throws {
    var subject = try TableUnderTest()
    subject.add(packet, at: 1000, direction: .ingress, detail: .numbered(1))
    subject.add(packet, at: 1001, direction: .egress, detail: .numbered(2))
    subject.add(packet, at: 1002)
    // Stamped earlier, but it came later.
    subject.add(packet, at: 999, detail: .numbered(3))
    let record = try #require(subject.take(at: 1002, everything: true).first)
    #expect(record.packets == 4)
    #expect(record.direction == .ingress)
    #expect(record.detail == .numbered(1))
  }

  @Test("a flow whose first packet has none stays without", arguments: versions)
  func none(packet: [UInt8]) throws {
    var subject = try TableUnderTest()
    subject.add(packet, at: 0)
    subject.add(packet, at: 1, direction: .egress, detail: .numbered(2))
    let record = try #require(subject.take(at: 1, everything: true).first)
    #expect(record.direction == nil)
    #expect(record.detail.isEmpty)
  }

  @Test("a direction needs no detail")
  func directionAlone() throws {
    var subject = try TableUnderTest()
    subject.add(Packets.udp, at: 0, direction: .egress)
    #expect(try #require(subject.take(at: 0, everything: true).first).direction == .egress)
  }

  @Test("a record that follows the active timeout has the detail of its own first packet", arguments: versions)
  func activeTimeout(packet: [UInt8]) throws {
    var subject = try TableUnderTest(active: 10, inactive: 10)
    subject.add(packet, at: 0, direction: .ingress, detail: .numbered(1))
    subject.add(packet, at: 9_000)
    subject.add(packet, at: 10_000, direction: .egress, detail: .numbered(2))
    subject.add(packet, at: 20_000)
    subject.add(packet, at: 30_000, detail: .numbered(4))
    let records = subject.take(at: 30_000, everything: true).sorted { $0.start < $1.start }
    #expect(records.map(\.start.milliseconds) == [0, 10_000, 20_000, 30_000])
    #expect(records.map(\.detail) == [.numbered(1), .numbered(2), PacketDetail(), .numbered(4)])
    #expect(records.map(\.direction) == [.ingress, .egress, nil, nil])
  }

  /// A packet of the flow with this number, of either version.
  private static func packet(_ number: Int) -> [UInt8] {
    var packet = versions[number % 2]
    let port = packet.count - 8
    (packet[port], packet[port + 1]) = (UInt8(number >> 8 & 0xff), UInt8(number & 0xff))
    return packet
  }

  /// Whether a flow's record has the detail of its packet, by the source port.
  private static func isRight(_ record: FlowRecord) -> Bool {
    let number = UInt32(record.key.sourcePort)
    return record.detail == (number % 3 == 0 ? PacketDetail() : .numbered(number))
  }

  private static func detail(_ number: Int) -> PacketDetail? { number % 3 == 0 ? nil : .numbered(UInt32(number)) }

  @Test("each flow keeps its own while the table grows")
  func growth() throws {
    var subject = try TableUnderTest(maxFlows: 20_000)
    for start in stride(from: 0, to: 10_000, by: 100) {
      subject.add((start..<start + 100).map { (Self.packet($0), 0, Self.detail($0)) })
    }
    let records = subject.take(at: 0, everything: true, bufferCapacity: 64)
    #expect(records.count == 10_000)
    #expect(records.allSatisfy(Self.isRight))
  }

  @Test("flows that leave a full table have theirs, and a slot's next flow does not inherit it")
  func eviction() throws {
    var subject = try TableUnderTest(maxFlows: 50)
    var records: [FlowRecord] = []
    for number in 0..<500 {
      subject.add(Self.packet(number), at: Int64(number), detail: Self.detail(number))
      if number % 7 == 0 { records += subject.take(at: Int64(number)) }
    }
    records += subject.take(at: 500, everything: true)
    #expect(records.count == 500)
    #expect(records.filter { $0.endReason == .lackOfResources }.count == 450)
    #expect(records.allSatisfy(Self.isRight))
  }
}
