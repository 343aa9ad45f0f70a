// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

/// Reads a line of the statistics as a script does: by its words, which tell where the numbers are.
struct StatisticsLine {
  private static let patterns: [(name: String, pattern: String)] = [
    ("program", #"\S+ \S+, srcversion [0-9A-F]{16,24};(?: [a-z+-]+)*"#),
    ("protocol 5", #"Protocol version 5 \(netflow\)"#),
    (
      "protocol",
      #"Protocol version (?:9 \(netflow\)|10 \(ipfix\)), refresh-rate (\d+), timeout-rate (\d+), \(templates (\d+), active (\d+)\)\."#
    ),
    ("timeouts", #"Timeouts: active (\d+)s, inactive (\d+)s\. Maxflows (\d+)"#),
    ("sampling", #"Flow sampling is disabled\."#),
    ("promisc", #"Promisc hack is (?:enabled|disabled) \(observed (\d+) packets, discarded (\d+)\)\."#),
    ("natevents", #"Natevents (?:enabled|disabled), count start (\d+), stop (\d+)\."#),
    (
      "flows",
      #"Flows: active (\d+) \(peak (\d+) reached (\d+)d(\d+)h(\d+)m ago\), mem (\d+)K, worker delay (\d+)/(\d+) \[(\d+)\.\.(\d+)\] \((\d+) ms, (\d+) us, (\d+):(\d+) (\d+) \[cpu(\d+)\]\)\."#
    ),
    (
      "hash",
      #"Hash: size (\d+) \(mem (\d+)K\), metric (\d+\.\d\d) \[(\d+\.\d\d), (\d+\.\d\d), (\d+\.\d\d)\]\. InHash: (\d+) pkt, (\d+) K, InPDU (\d+), (\d+)\."#
    ),
    (
      "rate",
      #"Rate: (\d+) bits/sec, (\d+) packets/sec; Avg 1 min: (\d+) bps, (\d+) pps; 5 min: (\d+) bps, (\d+) pps"#
    ),
    (
      "columns",
      #"cpu#     pps; <search found new \[metric\], trunc frag alloc maxflows>, traffic: <pkt, bytes>, drop: <pkt, bytes>"#
    ),
    (
      "cpu",
      #"(?:Total|cpu\d |cpu\d\d+) (?= *\d+;)(?=[ \d]{6})\s*(\d+); (?=[ \d]{6})\s*(\d+) (?=[ \d]{6})\s*(\d+) (?=[ \d]{6})\s*(\d+) \[(\d+\.\d\d)\], (?=[ \d]{4})\s*(\d+) (?=[ \d]{4})\s*(\d+) (?=[ \d]{4})\s*(\d+) (?=[ \d]{4})\s*(\d+), traffic: (\d+), (\d+) MB, drop: (\d+), (\d+) K"#
    ),
    (
      "export",
      #"Export: Rate (\d+) bytes/s; Total (\d+) pkts, (\d+) MB, (\d+) flows; Errors (\d+) pkts; Traffic lost (\d+) pkts, (\d+) Kbytes, (\d+) flows\."#
    ),
    (
      "sock",
      #"sock\d+: \S+, sndbuf (\d+), filled (\d+), peak (\d+); err: sndbuf reached (\d+), connect (\d+), cberr (\d+), other (\d+)"#
    ),
    ("sock unconnected", #"sock\d+: \S+ unconnected \((\d+) attempts\)\."#),
  ]

  let name: String
  let numbers: [Double]

  /// Nil where no line is written so.
  init?(_ line: String) {
    for (name, pattern) in Self.patterns {
      guard let match = try? Regex(pattern).wholeMatch(in: line) else { continue }
      self.name = name
      numbers = match.output.dropFirst().compactMap { $0.substring.flatMap { Double($0) } }
      return
    }
    return nil
  }
}

@Suite("The statistics in ipt_NETFLOW's words")
struct ProcStatisticsTests {
  private func lines(
    _ statistics: ProbeStatistics = StatisticsSample.statistics, _ rates: ProbeRates = StatisticsSample.rates
  ) -> [String] {
    let text = ProcStatistics.text(statistics, rates)
    #expect(text.last == "\n")
    return text.dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private func line(_ name: String, of lines: [String]) -> StatisticsLine? {
    lines.lazy.compactMap { StatisticsLine($0) }.first { $0.name == name }
  }

  @Test("the lines are ipt_NETFLOW's to the letter, but for the program's name and the clock's rate")
  func original() {
    var expected = StatisticsSample.original
    expected[0] = "flowprobe 0.1.0, srcversion 0123456789ABCDEF; dir nel vlan"
    expected[5] =
      "Flows: active 187 (peak 420 reached 0d3h12m ago), mem 5161K, worker delay 25/1000 [1..100]"
      + " (12 ms, 0 us, 42:0 0 [cpu1])."
    #expect(lines() == expected)
  }

  @Test("what reads ipt_NETFLOW's lines, also those that its users showed, reads ours, and finds the same numbers")
  func scripts() throws {
    let originals = try StatisticsSample.original.map { try #require(StatisticsLine($0), "\($0)") }
    for (place, line) in lines().enumerated() {
      let read = try #require(StatisticsLine(line), "\(line)")
      #expect(read.name == originals[place].name)
      if ![0, 5].contains(place) { #expect(read.numbers == originals[place].numbers) }
    }
    for line in StatisticsSample.users { #expect(StatisticsLine(line) != nil, "\(line)") }
    var wide = StatisticsSample.statistics
    wide.meters = (0..<12).map {
      StatisticsSample.meter(
        "nflog:\($0)", searched: 3_650_897_356, found: 12_649_803_127, new: 742_643_202, fragments: 123_456,
        octets: 12_259_895_100_000)
    }
    var rates = StatisticsSample.rates
    for meter in wide.meters { rates.threads[meter.source] = 1_024_000 }
    for line in lines(wide, rates) + lines(StatisticsSample.losses) { #expect(StatisticsLine(line) != nil, "\(line)") }
  }

  @Test("one thread that meters has no line of its own; frames that it captures have theirs")
  func capture() {
    var statistics = StatisticsSample.losses
    statistics.program.isPromiscuous = true
    statistics.program.recordsMACAddresses = true
    var rates = StatisticsSample.rates
    rates.threads = ["eth0": 40]
    let lines = lines(statistics, rates)
    #expect(lines[0] == "flowprobe 0.1.0, srcversion 0123456789ABCDEF; dir mac nel promisc vlan")
    #expect(lines.contains("Promisc hack is enabled (observed 20 packets, discarded 3)."))
    #expect(lines.filter { $0.hasPrefix("cpu") && !$0.hasPrefix("cpu#") } == [])
    statistics.program.export.recordedLabels = 3
    #expect(
      self.lines(statistics, rates)[0]
        == "flowprobe 0.1.0, srcversion 0123456789ABCDEF; dir mac nel promisc+mpls vlan")
  }

  @Test("each of a source's threads has a line")
  func threads() {
    var statistics = StatisticsSample.statistics
    for place in 0..<2 { (statistics.meters[place].source, statistics.meters[place].number) = ("eth0", place + 1) }
    var rates = StatisticsSample.rates
    rates.threads = ["eth0/1": 40, "eth0/2": 43]
    #expect(lines(statistics, rates).filter { $0.hasPrefix("cpu") } == lines().filter { $0.hasPrefix("cpu") })
  }

  @Test("each loss stands in its column")
  func losses() {
    var rates = StatisticsSample.rates
    rates.threads = ["eth0": 40]
    let lines = lines(StatisticsSample.losses, rates)
    // Dropped: 120 before metering, 7 that could not be decoded, 2 in the table; 3000 octets of those are known.
    #expect(
      lines.contains(
        "Total     40;      5      6      4 [1.50],    7    2  120    7, traffic: 10, 0 MB, drop: 129, 2 K"))
    #expect(
      lines.contains(
        "Export: Rate 311 bytes/s; Total 402 pkts, 0 MB, 10286 flows; Errors 18 pkts;"
          + " Traffic lost 222 pkts, 325 Kbytes, 111 flows."))
    #expect(
      lines.contains(
        "sock0: 127.0.0.1:2055, sndbuf 212992, filled 1, peak 2305;"
          + " err: sndbuf reached 3, connect 8, cberr 6, other 4"))
  }

  @Test("a destination of files has the one that is written, and how many are complete")
  func files() {
    var statistics = StatisticsSample.losses
    statistics.destinations[0].address = "file:///d/%H.ipfix"
    statistics.destinations[0].export.files = FileTotals()
    statistics.destinations[0].export.files?.complete = 7
    #expect(
      lines(statistics, StatisticsSample.rates).contains(
        "sock0: file:///d/%H.ipfix, writing none, complete 7; err: connect 8, other 4"))
    statistics.destinations[0].export.files?.current = "/d/03.ipfix"
    #expect(
      lines(statistics, StatisticsSample.rates).contains(
        "sock0: file:///d/%H.ipfix, writing /d/03.ipfix, complete 7; err: connect 8, other 4"))
  }

  @Test("NetFlow v9 and v5 have the protocol's line, and disabled NAT events theirs")
  func protocols() {
    var statistics = StatisticsSample.statistics
    statistics.exportsNATEvents = false
    statistics.program.export.exportProtocol = .netFlow9
    #expect(lines(statistics)[1].hasPrefix("Protocol version 9 (netflow), refresh-rate 20, timeout-rate 30, "))
    #expect(lines(statistics)[4] == "Natevents disabled, count start 0, stop 0.")
    statistics.program.export.exportProtocol = .netFlow5
    #expect(lines(statistics)[1] == "Protocol version 5 (netflow)")
  }

  @Test("sampling, aggregation rules and rules for interface indexes have ipt_NETFLOW's lines")
  func selection() throws {
    var statistics = StatisticsSample.statistics
    statistics.program.sampling = Sampling(.randomFlows, interval: 100)
    statistics.table.selected = FlowTotals(flows: 3, packets: 30, octets: 300)
    statistics.table.leftOut = FlowTotals(flows: 290, packets: 2900, octets: 29_000)
    statistics.program.aggregation = try AggregationRules.parse("10.0.0.0/8=24 1024-65535=0")
    statistics.aggregationUsage = [7, 8]
    statistics.program.interfaceIndexRules = try InterfaceIndexRules.parse("eth:100,ppp:200")
    let all = lines(statistics)
    #expect(all[0].hasSuffix("; aggr dir nel samp snmp vlan"))
    #expect(
      all[3] == "Flow sampling mode random one-out-of 100. Flows selected 3, discarded 290. Pkts selected 30,"
        + " discarded 2900.")
    #expect(
      all.suffix(4) == [
        "aggr#0 net: match 10.0.0.0/8 strip 24 (usage 7)", "aggr#1 port: ports 1024-65535 replace 0 (usage 8)",
        "SNMP-rule#0: prefix 'eth' map to 100", "SNMP-rule#1: prefix 'ppp' map to 200",
      ])
    statistics.program.sampling = Sampling(.packets, interval: 10)
    #expect(lines(statistics)[3] == "Flow sampling is disabled.")
  }

  @Test("what is read a moment later never makes a figure negative, and without packets the metric is 1")
  func moments() throws {
    var statistics = StatisticsSample.statistics
    statistics.table.taken = FlowTotals(flows: 20_000, packets: 200_000, octets: 1 << 40)
    statistics.peak.reached = statistics.moment.advanced(byMilliseconds: 5)
    #expect(line("hash", of: lines(statistics))?.numbers[6...7] == [0, 0])
    let none = lines(ProbeStatistics(), ProbeRates())
    #expect(none.allSatisfy { StatisticsLine($0) != nil || $0.hasPrefix("flowprobe ") })
    #expect(line("cpu", of: none)?.numbers == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  }
}

@Suite("The statistics for ipt_NETFLOW's programs")
struct SNMPStatisticsTests {
  @Test("names, order and columns are ipt_NETFLOW's, with its wrong values put right")
  func text() {
    #expect(
      SNMPStatistics.text(StatisticsSample.statistics, StatisticsSample.rates) == """
        inBitRate    202448
        inPacketRate 83
        inFlows      10473
        inPackets    191073
        inBytes      148897792
        hashMetric   1.00
        hashMemory   5284864
        hashFlows    187
        hashPackets  912
        hashBytes    419840
        dropPackets  0
        dropBytes    0
        outByteRate  311
        outFlows     10286
        outPackets   402
        outBytes     500000
        lostFlows    0
        lostPackets  0
        lostBytes    0
        errTotal     0
        cpu0 40 5000 95000 73400320 1.00 0 0 0 1 0 0
        cpu1 43 5473 96073 75497472 1.00 0 0 0 2 0 0
        sock0 127.0.0.1:2055 1 0 0 0 0 212992 1 2305
        sock1 [2001:db8::1]:2055@[2001:db8::2]%eth0 0 14 0 0 0 0 0 0
        sndbufPeak   2305

        """)
  }

  @Test("each loss stands in its line")
  func losses() {
    var rates = StatisticsSample.rates
    rates.threads = ["eth0": 40]
    let lines = SNMPStatistics.text(StatisticsSample.losses, rates).split(separator: "\n").map(String.init)
    let expected = [
      "dropPackets  129", "dropBytes    3000", "lostFlows    111", "lostPackets  222", "lostBytes    333000",
      "errTotal     18", "cpu0 40 4 10 5000 1.50 129 3000 7 2 120 7",
      "sock0 127.0.0.1:2055 1 8 3 6 4 212992 1 2305",
    ]
    #expect(expected.filter { !lines.contains($0) } == [])
  }
}
