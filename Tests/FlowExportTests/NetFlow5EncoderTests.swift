// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Messages of NetFlow v5")
struct NetFlow5EncoderTests {
  private func sent(_ records: [FlowRecord]) -> [[UInt8]] {
    let run = EncoderRun(.netFlow5)
    run.append(records)
    run.flush()
    return run.messages
  }

  /// Each record's packets and octets.
  private func counts(_ messages: [[UInt8]]) -> [[Int]] {
    messages.flatMap { message in
      (0..<message.number(2, 2)).map { [message.number(24 + 48 * $0 + 16, 4), message.number(24 + 48 * $0 + 20, 4)] }
    }
  }

  @Test("a message of one TCP Flow has the header and the record of Cisco's tables B-3 and B-4")
  func wholeMessage() {
    let run = EncoderRun(.netFlow5, domain: 0x0102_0304)
    run.append([Sample.tcp])
    run.flush()
    #expect(
      run.messages == [
        octets(
          """
          0005 0001 000f4fec 6553f103 1dcd6500 00000000 00 04 0000
          c0000201 c6336402 00000000 0002 0003 0000000a 00001388 000f42bb 000f4bd8
          c000 01bb 00 1b 06 10 0000 0000 00 00 0000
          """)
      ])
  }

  @Test("masks are the prefix lengths of aggregated addresses")
  func masks() {
    let messages = sent([Sample.ipv4(.udp) { ($0.sourcePrefixLength, $0.destinationPrefixLength) = (24, 16) }])
    #expect(Array(messages[0].suffix(8)) == octets("0000 0000 18 10 0000"))
  }

  @Test("the header's nanoseconds are what is left of the second, of the wall clock")
  func nanoseconds() {
    let run = EncoderRun(.netFlow5)
    let instant = ExportInstant(now: Sample.instant.now, boot: Sample.instant.boot, shift: 499)
    run.append([Sample.tcp], at: instant)
    run.flush(at: instant)
    #expect(run.messages[0].number(8, 4) == 1_700_000_003)
    #expect(run.messages[0].number(12, 4) == 999_000_000)
    #expect(run.messages[0].number(4, 4) == 1_003_500)
  }

  @Test("a message has at most 30 records, and the sequence counts the Flows before it")
  func thirty() {
    let messages = sent(Array(repeating: Sample.tcp, count: 65))
    #expect(messages.map { $0.number(2, 2) } == [30, 30, 5])
    #expect(messages.map(\.count) == [1464, 1464, 264])
    #expect(messages.map { $0.number(16, 4) } == [0, 30, 60])
  }

  @Test("IPv6 Flows are left out and counted as what the protocol cannot carry")
  func ipv6() {
    let run = EncoderRun(.netFlow5)
    run.append([Sample.udp6, Sample.tcp, Sample.udp6])
    run.flush()
    #expect(run.messages.map { $0.number(2, 2) } == [1])
    #expect(run.rejected == FlowTotals(flows: 2, packets: 20, octets: 10_000))
    #expect(run.carried == FlowTotals(flows: 1, packets: 10, octets: 5000))
  }

  @Test("protocols without ports have ports 0, ICMP its type and code as the destination port")
  func ports() {
    let records = [IPProtocol.tcp, .udp, .udpLite, .sctp, .dccp, .icmp, .igmp, .esp, .ah, .hip].map {
      Sample.ipv4($0) { ($0.key.sourcePort, $0.key.destinationPort) = (0x0102, 0x0304) }
    }
    let message = sent(records)[0]
    let ports = records.indices.map { [message.number(24 + 48 * $0 + 32, 2), message.number(24 + 48 * $0 + 34, 2)] }
    #expect(ports == Array(repeating: [0x0102, 0x0304], count: 6) + Array(repeating: [0, 0], count: 4))
  }

  @Test("counters of exactly 32 bits leave in one record")
  func largest() {
    let record = Sample.ipv4(.udp) { ($0.packets, $0.octets) = (4_294_967_295, 4_294_967_295) }
    #expect(counts(sent([record])) == [[4_294_967_295, 4_294_967_295]])
  }

  @Test(
    "a Flow beyond 32 bits leaves as several records whose sums are exact, each with a packet at least",
    arguments: [
      (3_000_000, 4_294_967_296), (10_000_000, 15_000_000_000), (5_000_000_000, 300_000_000_000),
      // 20 Gbit/s in large frames for an active timeout of a minute, and 2 Gbit/s for half an hour.
      (100_000_000, 150_000_000_000), (2_400_000, 157_000_000_000), (300_000_000, 450_000_000_000),
    ])
  func beyond32Bits(packets: Int, octets: Int) {
    let run = EncoderRun(.netFlow5)
    run.append([Sample.ipv4(.udp) { ($0.packets, $0.octets) = (UInt64(packets), UInt64(octets)) }])
    run.flush()
    let counts = counts(run.messages)
    #expect(counts.reduce(0) { $0 + $1[0] } == packets)
    #expect(counts.reduce(0) { $0 + $1[1] } == octets)
    #expect(counts.allSatisfy { $0[0] > 0 })
    #expect(run.carried.packets == UInt64(packets))
    #expect(run.carried.octets == UInt64(octets))
  }

  @Test("a Flow of a day at 2 Gbit/s, of which thousands of records are made, neither overflows the batch nor traps")
  func longest() async {
    await #expect(processExitsWith: .success) {
      trapAtOnce()
      let run = EncoderRun(.netFlow5)
      // Behind as many messages as may wait before a batch counts as full.
      let few = Array(repeating: Sample.tcp, count: 30 * (MessageBatch.capacity - MessageBatch.reserve - 1))
      run.append(few + [Sample.ipv4(.tcp) { ($0.packets, $0.octets) = (2_000_000_000, 21_600_000_000_000) }])
      run.flush()
      precondition(run.carried.octets == 21_600_000_000_000 + 5000 * UInt64(few.count))
    }
  }

  @Test("the engine id is the low octet of the Observation Domain; an interface beyond 16 bits is not known")
  func narrow() {
    let run = EncoderRun(.netFlow5, domain: 0xaabb_ccdd)
    run.append([65_536 + 7, 65_535].map { index in Sample.ipv4(.udp) { $0.key.ingressInterface = index } })
    run.flush()
    #expect(run.messages[0].number(20, 2) == 0x00dd)
    #expect(run.messages[0].number(24 + 12, 2) == 0)
    #expect(run.messages[0].number(24 + 48 + 12, 2) == 65_535)
  }
}
