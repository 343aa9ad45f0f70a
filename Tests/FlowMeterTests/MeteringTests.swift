// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowMeter

/// Packets from a list.
final class PacketList: PacketSource {
  let name = "list"
  private var rounds: [[[UInt8]]]
  private var time: Int64 = 0
  private let step: Int64

  init(_ rounds: [[[UInt8]]], secondsBetween: Int64 = 0) {
    self.rounds = rounds
    step = secondsBetween * 1000
  }

  func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome {
    guard !rounds.isEmpty else { return .end }
    for packet in rounds.removeFirst() { batch.append(packet, at: time) }
    time += step
    return .more
  }

  func drops() -> CaptureDrops { CaptureDrops(kernel: 3, interface: 2) }
}

@Suite("Metering")
struct MeteringTests {
  static let sample = #filePath.replacing("FlowMeterTests/MeteringTests.swift", with: "Vectors/sample.pcap")

  static func totals(of table: FlowTable) -> FlowTotals {
    var (totals, sweep, more) = (FlowTotals(), FlowTableSweep(), true)
    var buffer = FlowRecordBuffer()
    while more {
      more = table.takeExpired(
        at: Timestamp(milliseconds: 0), everything: true, sweep: &sweep, into: &buffer)
      for i in 0..<buffer.count {
        totals.add(FlowTotals(flows: 1, packets: buffer[i].packets, octets: buffer[i].octets))
      }
      buffer.removeAll()
    }
    return totals
  }

  @Test("a change of table and selection holds from the next round on, and no packet is lost in it")
  func change() throws {
    let (before, after) = (try FlowTable(), try FlowTable())
    let source = PacketList([[Packets.tcp, Packets.udp], [Packets.udp, Packets.tcp, Packets.udp, Packets.tcp]])
    let process = MeteringProcess(source: source, table: before)
    _ = try process.meter(timeout: .zero)
    process.change(to: after, PacketSelection(sampling: Sampling(.packets, interval: 2)))
    #expect(process.hasChangeAhead)
    #expect(before.statistics.created == 2 && after.statistics.created == 0)
    _ = try process.meter(timeout: .zero)
    #expect(!process.hasChangeAhead)
    #expect(Self.totals(of: before).packets == 2)
    // One of two packets, and both that are taken are of UDP.
    #expect(Self.totals(of: after) == FlowTotals(flows: 1, packets: 2, octets: 2 * 28))
    #expect(process.counters.statistics.unselectedPackets == 2)
  }

  @Test("every packet of a source is metered or counted by its reason, and drops are told")
  func accounting() throws {
    let table = try FlowTable()
    let source = PacketList([[Packets.tcp, Packets.udp], [[0xff]], [Packets.udpIPv6, []]])
    let process = MeteringProcess(source: source, table: table)
    while case .more = try process.meter(timeout: .zero).outcome {}
    process.finish()
    let statistics = process.counters.statistics
    #expect(statistics.observedPackets == 5)
    #expect(statistics.meteredPackets == 3)
    #expect(statistics.meteredOctets == 40 + 28 + 48)
    #expect(statistics[.notIP] == 1)
    #expect(statistics[.linkHeaderTruncated] == 1)
    #expect(statistics.kernelDrops == 3 && statistics.interfaceDrops == 2)
    #expect(statistics.createdFlows == 3 && statistics.evictedFlows == 0)
    #expect(statistics.lostInTable == FlowTotals())
    #expect(Self.totals(of: table) == FlowTotals(flows: 3, packets: 3, octets: 116))
  }

  @Test("the bundled sample is metered to the packet: tshark counts 332 IP packets of 170039 octets in it")
  func sampleFile() throws {
    let table = try FlowTable()
    let process = MeteringProcess(source: try CaptureFile(path: Self.sample), table: table)
    while case .more = try process.meter(timeout: .zero).outcome {}
    process.finish()
    #expect(process.counters.statistics.meteredPackets == 332)
    #expect(process.counters.statistics[.notIP] == 4)
    #expect(Self.totals(of: table) == FlowTotals(flows: 72, packets: 332, octets: 170_039))
  }

  @Test("a filter leaves out what does not match")
  func filter() throws {
    let table = try FlowTable()
    let file = try CaptureFile(path: Self.sample, filter: "icmp6")
    let process = MeteringProcess(source: file, table: table)
    while case .more = try process.meter(timeout: .zero).outcome {}
    let statistics = process.counters.statistics
    #expect(statistics.observedPackets > 0)
    #expect(statistics.observedPackets == statistics.meteredPackets)
    #expect(statistics.observedPackets < 100)
  }

  @Test("a file that is none, is no capture, or whose filter is wrong is refused with a reason")
  func refusals() {
    #expect(throws: CaptureError.file(name: "/nowhere", reason: "no such file or directory")) {
      _ = try CaptureFile(path: "/nowhere")
    }
    #expect(throws: CaptureError.self) { _ = try CaptureFile(path: #filePath) }
    #expect {
      _ = try CaptureFile(path: Self.sample, filter: "udp prt 5")
    } throws: { error in
      if case CaptureError.filter(expression: "udp prt 5", reason: _) = error { true } else { false }
    }
  }

  @Test("a truncated capture gives what stands before the cut, as many packets as tcpdump reads, then the error")
  func truncated() throws {
    let (reader, writer) = try pipe()
    let whole = try readFile(Self.sample)
    _ = unsafe whole[..<5000].withUnsafeBytes { unsafe write(writer, $0.baseAddress, $0.count) }
    close(writer)
    let table = try FlowTable()
    let process = MeteringProcess(source: try CaptureFile(path: "/proc/self/fd/\(reader)"), table: table)
    #expect(throws: CaptureError.self) {
      while case .more = try process.meter(timeout: .zero).outcome {}
    }
    process.finish()
    #expect(process.counters.statistics.observedPackets == 28)
    close(reader)
  }

  private func pipe() throws -> (reader: Int32, writer: Int32) {
    var ends: [Int32] = [0, 0]
    try #require(unsafe Glibc.pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  private func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    return unsafe [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
      count = unsafe max(0, read(descriptor, buffer.baseAddress, buffer.count))
    }
  }

  @Test("flowprobe's own datagrams are left out, those beside them are not")
  func ownSessions() {
    let sessions = OwnSessions()
    var batch = PacketBatch(ownSessions: sessions)
    batch.append(Packets.udp, at: 0)
    let key = batch[0].key
    sessions.set(
      OwnSession(
        source: key.source, destination: key.destination, version: .v4, sourcePort: 5353, destinationPort: 53),
      number: 0)
    batch.append(Packets.udp, at: 0)
    batch.append(Packets.tcp, at: 0)
    #expect(batch.statistics.ownPackets == 1)
    #expect(batch.statistics.meteredPackets == 2)
    sessions.set(nil, number: 0)
    batch.append(Packets.udp, at: 0)
    #expect(batch.statistics.ownPackets == 1)
  }

  @Test("a stamp by a clock that was set since is taken as now")
  func steppedClock() {
    let clock = LiveClock(now: Timestamp(milliseconds: 1_000_000), shift: 0)
    #expect(clock.time(ofStamp: Timestamp(milliseconds: 999_900)).milliseconds == 999_900)
    for ahead in [8000, 3_600_000] as [Int64] {
      #expect(clock.time(ofStamp: Timestamp(milliseconds: 1_000_000 + ahead)).milliseconds == 1_000_000)
    }
    #expect(clock.time(ofStamp: Timestamp(milliseconds: -2_600_000)).milliseconds == 1_000_000)
    let shifted = LiveClock(now: Timestamp(milliseconds: 1_000_000), shift: 3_600_000)
    #expect(shifted.time(ofStamp: Timestamp(milliseconds: 4_599_900)).milliseconds == 999_900)
  }

  @Test("addresses are read and written in the usual notation")
  func addresses() throws {
    let (v6, version) = try #require(IPAddress.parse("2001:DB8:0::1"))
    #expect(version == .v6 && v6.text(.v6) == "2001:db8::1")
    let (v4, four) = try #require(IPAddress.parse("192.0.2.1"))
    #expect(four == .v4 && v4.text(.v4) == "192.0.2.1")
    #expect(IPAddress.parse("192.0.2") == nil)
  }
}
