// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

@Suite("The statistics for Prometheus")
struct PrometheusTextTests {
  private func lines(_ statistics: ProbeStatistics) -> [String] {
    PrometheusText.text(statistics).split(separator: "\n").map(String.init)
  }

  @Test("each metric has help, type and samples together and once; counters alone end in _total")
  func format() throws {
    var names: Set<String> = []
    var (name, kind) = ("", "")
    let sample = try Regex(#"([a-z][a-z0-9_]*)(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})? \d+(?:\.\d+)?"#)
    for line in lines(StatisticsSample.losses) {
      let words = line.split(separator: " ", maxSplits: 3).map(String.init)
      if line.hasPrefix("# HELP ") {
        (name, kind) = (words[2], "")
        #expect(names.insert(name).inserted, "\(name)")
        #expect(words[3].hasSuffix(".") && !words[3].contains("\\"))
      } else if line.hasPrefix("# TYPE ") {
        #expect(words[2] == name)
        kind = words[3]
        #expect((kind == "counter") == name.hasSuffix("_total"), "\(name)")
      } else {
        let match = try #require(try sample.wholeMatch(in: line), "\(line)")
        #expect(match.output[1].substring.map(String.init) == name)
        #expect(["counter", "gauge"].contains(kind))
      }
    }
    #expect(names.count > 50)
    #expect(names.allSatisfy { $0.hasPrefix("flowprobe_") })
  }

  @Test("a source that several threads meter is one, with the sum of what they counted")
  func threads() {
    var statistics = StatisticsSample.statistics
    statistics.meters = [("eth0", 1), ("eth0", 2), ("eth1", 1), ("eth1", 2)].map { source, number in
      var meter = ProbeStatistics.Meter(source: source, number: number)
      meter.counters.meteredPackets = source == "eth0" ? UInt64(number) : 10
      meter.counters.kernelDrops = 5
      return meter
    }
    #expect(
      lines(statistics).filter { $0.hasPrefix("flowprobe_metered_packets_total{") } == [
        #"flowprobe_metered_packets_total{source="eth0"} 3"#, #"flowprobe_metered_packets_total{source="eth1"} 20"#,
      ])
    #expect(lines(statistics).contains(#"flowprobe_dropped_packets_total{source="eth0",reason="kernel"} 10"#))
  }

  @Test("every loss there is has its counter, with where and why")
  func losses() {
    let lines = lines(StatisticsSample.losses)
    let expected = [
      #"flowprobe_dropped_packets_total{source="eth0",reason="kernel"} 100"#,
      #"flowprobe_dropped_packets_total{source="eth0",reason="interface"} 20"#,
      #"flowprobe_unmetered_packets_total{source="eth0",reason="not_ip"} 3"#,
      #"flowprobe_unmetered_packets_total{source="eth0",reason="link_header_truncated"} 1"#,
      #"flowprobe_unmetered_packets_total{source="eth0",reason="ip_version"} 6"#,
      #"flowprobe_remarked_packets_total{source="eth0",reason="transport_truncated"} 9"#,
      #"flowprobe_orphaned_fragments_total{source="eth0"} 2"#,
      #"flowprobe_evicted_flows_total{source="eth0"} 7"#,
      #"flowprobe_table_lost_flows_total{source="eth0"} 1"#,
      #"flowprobe_table_lost_packets_total{source="eth0"} 2"#,
      #"flowprobe_table_lost_bytes_total{source="eth0"} 3000"#,
      #"flowprobe_export_lost_messages_total{destination="127.0.0.1:2055",reason="connect"} 5"#,
      #"flowprobe_export_lost_messages_total{destination="127.0.0.1:2055",reason="buffer_full"} 3"#,
      #"flowprobe_export_lost_messages_total{destination="127.0.0.1:2055",reason="other"} 4"#,
      #"flowprobe_export_lost_flows_total{destination="127.0.0.1:2055"} 11"#,
      #"flowprobe_export_refusals_total{destination="127.0.0.1:2055"} 6"#,
      #"flowprobe_export_connected{destination="[2001:db8::1]:2055@[2001:db8::2]%eth0"} 0"#,
      "flowprobe_nat_lost_events_total 13", "flowprobe_nat_overruns_total 17",
    ]
    #expect(expected.filter { !lines.contains($0) } == [])
    // One sample for each reason there is.
    let reasons = lines.filter { $0.hasPrefix("flowprobe_unmetered_packets_total{") }
    #expect(reasons.count == DecodeFailure.allCases.count)
  }

  @Test("times are seconds to the millisecond, labels are escaped, and the end is told")
  func values() {
    var statistics = StatisticsSample.statistics
    statistics.meters[0].source = #"a"b\c"#
    statistics.isRunning = false
    statistics.nat = nil
    let lines = lines(statistics)
    #expect(lines.contains("flowprobe_start_time_seconds 1700000000.042"))
    #expect(lines.contains("flowprobe_up 0"))
    #expect(lines.contains(#"flowprobe_metered_packets_total{source="a\"b\\c"} 95000"#))
    #expect(!lines.contains { $0.hasPrefix("flowprobe_nat_") })
  }

  @Test("files are counted of destinations that are files alone")
  func files() {
    var statistics = StatisticsSample.statistics
    #expect(!lines(statistics).contains { $0.contains("_files") })
    statistics.destinations[1].address = "file:///d/f.ipfix"
    statistics.destinations[1].export.files = FileTotals()
    statistics.destinations[1].export.files?.complete = 5
    statistics.destinations[1].export.files?.unfinished = 1
    #expect(
      lines(statistics).filter { $0.hasPrefix("flowprobe_export_") && $0.contains("_files") } == [
        #"flowprobe_export_files_total{destination="file:///d/f.ipfix"} 5"#,
        #"flowprobe_export_unfinished_files{destination="file:///d/f.ipfix"} 1"#,
      ])
  }

  @Test("what a filter did not take, and which member of a group is in use, have metrics of their own")
  func groups() {
    var statistics = StatisticsSample.statistics
    statistics.destinations[0].export.filtered = FlowTotals(flows: 5, packets: 6, octets: 7)
    statistics.destinations[0].export.natEvents.filtered = 8
    #expect(!lines(statistics).contains { $0.hasPrefix("flowprobe_export_in_use") })
    for place in 0..<2 { statistics.destinations[place].group = "failover(a:1,b:2)" }
    statistics.destinations[1].export.isInUse = false
    let lines = lines(statistics)
    for expected in [
      #"flowprobe_export_filtered_flows_total{destination="127.0.0.1:2055"} 5"#,
      #"flowprobe_export_filtered_nat_events_total{destination="127.0.0.1:2055"} 8"#,
      #"flowprobe_export_in_use{destination="127.0.0.1:2055",group="failover(a:1,b:2)"} 1"#,
      #"flowprobe_export_in_use{destination="[2001:db8::1]:2055@[2001:db8::2]%eth0",group="failover(a:1,b:2)"} 0"#,
    ] {
      #expect(lines.contains(expected), "\(expected)")
    }
  }
}
