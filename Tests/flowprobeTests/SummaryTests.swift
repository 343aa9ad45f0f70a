// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

@Suite("The summary")
struct SummaryTests {
  private let destination = ExportDestination(try! CollectorAddress("192.0.2.1"), ExportConfiguration())

  private let advice = LossAdvice.kernelDrops(ofInterface: false, threadsEach: 1, threads: 1, processors: 8)

  private func metered(_ change: (inout MeteringStatistics) -> Void = { _ in }) -> MeteringStatistics {
    var statistics = MeteringStatistics()
    (statistics.meteredPackets, statistics.meteredOctets) = (12, 3456)
    change(&statistics)
    return statistics
  }

  private func table(_ change: (inout FlowTableStatistics) -> Void = { _ in }) -> FlowTableStatistics {
    var statistics = FlowTableStatistics()
    statistics.created = 3
    change(&statistics)
    return statistics
  }

  @Test("where nothing was odd a file's summary is one line, and live metering tells its drops too")
  func short() {
    #expect(Summary.lines(metered(), table(), isLive: false, advice) == ["metered 12 packets, 3456 octets in 3 flows"])
    #expect(
      Summary.lines(metered(), table(), isLive: true, advice) == [
        "metered 12 packets, 3456 octets in 3 flows",
        "lost before metering: 0 packets dropped by the kernel, 0 by the interface",
      ])
  }

  @Test("every reason, remark and loss has its number, and what helps")
  func long() {
    let metered = metered {
      $0[DecodeFailure.notIP] = 4
      $0[DecodeFailure.ipv4TotalLength] = 1
      $0[DecodeRemark.transportTruncated] = 2
      $0[DecodeRemark.frameShorterThanPacket] = 3
      ($0.completedFragments, $0.orphanedFragments, $0.ownPackets) = (5, 6, 7)
      ($0.kernelDrops, $0.interfaceDrops) = (8, 9)
    }
    let table = table {
      $0.evicted = 10
      $0.lost = FlowTotals(flows: 11, packets: 12, octets: 13)
    }
    #expect(
      Summary.lines(metered, table, isLive: false, advice) == [
        "metered 12 packets, 3456 octets in 3 flows",
        "not metered: 5 packets (4 not IP, 1 IPv4 total length below the header's)",
        "metered with remarks: 2 transport header truncated, 3 frame shorter than its IP length",
        "later fragments: 5 counted to their datagram's flow, 6 without a first one",
        "own export left out: 7 packets",
        "lost before metering: 8 packets dropped by the kernel, 9 by the interface; a larger --buffer-size may help",
        "table full: 10 flows left early; a larger --maxflows holds them",
        "lost in the table: 11 flows, 12 packets, 13 octets, as the export did not keep up",
      ])
  }

  @Test("threads are advised where an interface dropped packets, and processors and --threads have room for them")
  func threads() {
    func advice(ofInterface: Bool = true, threads: Int, processors: Int = 4) -> String {
      LossAdvice.kernelDrops(ofInterface: ofInterface, threadsEach: threads, threads: threads, processors: processors)
    }
    #expect(advice(threads: 3) == "more --threads or a larger --buffer-size may help")
    #expect(advice(threads: 4) == "a larger --buffer-size may help")
    #expect(advice(ofInterface: false, threads: 1) == "a larger --buffer-size may help")
    #expect(advice(threads: 63, processors: 128) == "more --threads or a larger --buffer-size may help")
    #expect(advice(threads: 64, processors: 128) == "a larger --buffer-size may help")
  }

  @Test("what sampling was given and took is told, by hash and of packets in packets")
  func sampled() {
    let table = table {
      $0.selected = FlowTotals(flows: 1, packets: 5, octets: 6)
      $0.leftOut = FlowTotals(flows: 2, packets: 7, octets: 8)
    }
    func line(_ sampling: Sampling, _ metered: MeteringStatistics) -> String {
      Summary.line(sampling, sampling.totals(metered, table))
    }
    let metered = metered { $0.unselectedPackets = 30 }
    #expect(
      line(Sampling(.randomFlows, interval: 3), metered)
        == "one flow in 3 is exported: 1 of 3 flows, 5 of 12 packets")
    #expect(
      line(Sampling(.hashedFlows, interval: 3), metered)
        == "one flow in 3 is metered, by hash: 12 of 42 packets")
    let observed = self.metered { ($0.observedPackets, $0.unselectedPackets) = (31, 20) }
    #expect(
      line(Sampling(.packets, interval: 3), observed) == "one packet in 3 is metered: 11 of 31 packets")
  }

  @Test("of each aggregation rule it is told how often it was used")
  func aggregation() throws {
    let rules = try AggregationRules.parse("10.0.0.0/8=24,80-90=0")
    #expect(
      Summary.lines(rules, [5, 0]) == [
        "aggregation rule 10.0.0.0/8=24: used 5 times", "aggregation rule 80-90=0: used 0 times",
      ])
    #expect(Summary.lines(nil, []) == [])
  }

  @Test("a destination that took everything has one line")
  func exported() {
    var statistics = ExportStatistics()
    statistics.sent = FlowTotals(flows: 1, packets: 2, octets: 3)
    statistics.messages = 4
    #expect(
      Summary.lines(statistics, destination) == [
        "exported to 192.0.2.1:2055: 1 flows, 2 packets, 3 octets in 4 messages"
      ])
  }

  @Test("of a destination that is files their number is told too")
  func files() throws {
    var statistics = ExportStatistics()
    statistics.files = FileTotals()
    statistics.files?.complete = 5
    #expect(
      Summary.lines(statistics, try ExportDestination("file:///d/f.ipfix")) == [
        "exported to file:///d/f.ipfix: 0 flows, 0 packets, 0 octets in 0 messages and 5 files"
      ])
  }

  @Test("what did not reach a destination is told by its cause")
  func notExported() {
    var statistics = ExportStatistics()
    statistics.filtered = FlowTotals(flows: 20, packets: 30, octets: 40)
    statistics.notRepresentable = FlowTotals(flows: 1, packets: 2, octets: 3)
    statistics.lost = FlowTotals(flows: 4, packets: 5, octets: 6)
    statistics.errors = [.other: 8, .bufferFull: 7, .connect: 9]
    statistics.refusals = 10
    #expect(
      Summary.lines(statistics, destination) == [
        "exported to 192.0.2.1:2055: 0 flows, 0 packets, 0 octets in 0 messages",
        "filtered out for 192.0.2.1:2055: 20 flows, 30 packets, 40 octets",
        "not exported to 192.0.2.1:2055: 1 flows, 2 packets, 3 octets of IPv6, which NetFlow v5 cannot carry",
        "lost on the way to 192.0.2.1:2055: 4 flows, 5 packets, 6 octets"
          + " (messages not sent: 7 bufferFull, 9 connect, 8 other)",
        "refused by 192.0.2.1:2055: 10 answers that nobody listens there, there is no way, or it takes only shorter messages",
      ])
  }
}

@Suite("The machine's identity")
struct MachineIdentityTests {
  @Test("the default Observation Domain is not 0 and stays the same")
  func observationDomain() {
    #expect(MachineIdentity.observationDomain != 0)
    #expect(MachineIdentity.observationDomain == MachineIdentity.observationDomain)
  }

  @Test("a text file that is missing or empty has no text")
  func textFile() {
    #expect(TextFile.read("/nonexistent/file") == nil)
    #expect(TextFile.read("/dev/null") == nil)
    #expect(TextFile.read("/proc/self/comm")?.isEmpty == false)
  }

  @Test("texts are padded in front, or behind where the width is negative, and never cut")
  func padding() {
    #expect("ab".padded(to: 4) == "  ab")
    #expect("ab".padded(to: -4) == "ab  ")
    #expect("abc".padded(to: 2) == "abc")
  }
}
