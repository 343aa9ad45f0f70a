// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

@Suite("The live view")
struct TopTests {
  private func reading(_ change: (inout ProbeStatistics) -> Void = { _ in }) -> MetricsReading {
    var statistics = StatisticsSample.statistics
    change(&statistics)
    return MetricsReading(PrometheusText.text(statistics))
  }

  private func rows(_ screen: TopScreen) -> [String] { screen.head.map(\.plain) }

  @Test("metrics are read as they were written, with their labels")
  func metrics() {
    let reading = reading { $0.meters[0].source = "a\\b\"c\nd,e}" }
    #expect(reading.values(of: "source", in: "metered_packets_total") == ["a\\b\"c\nd,e}", "nflog:2"])
    #expect(reading.sum("metered_packets_total") == 191_073)
    #expect(reading.sum("metered_packets_total", ("source", "nflog:2")) == 96_073)
    #expect(reading.sum("start_time_seconds") == 1_700_000_000.042)
    #expect(reading.sum("no_such_metric") == 0)
    #expect(reading.samples("build_info").first?.labels["version"] == "0.1.0")
  }

  @Test(
    "figures that no counter can have are shown as the nearest ones",
    arguments: ["nan", "inf", "-inf", "1e300", "-1e300"])
  func impossible(figure: String) {
    let names = [
      "start_time_seconds", "active_flows", "active_flows_peak", "active_flows_limit", "evicted_flows_total",
    ]
    let reading = MetricsReading(names.map { "flowprobe_\($0) \(figure)\n" }.joined())
    var screen = TopScreen(reading: reading, previous: MetricsReading(""))
    screen.now = Timestamp(milliseconds: 1000)
    #expect(rows(screen).count > 3)
    let answer = "# octets packets flows bits/s host\n1 1 1 \(figure) 192.0.2.1\n"
    #expect(TopScreen.talkers(answer, TalkersQuery()).count == 2)
  }

  @Test("the first screen has totals, and no rates yet")
  func first() {
    var screen = TopScreen(reading: reading())
    screen.now = Timestamp(milliseconds: 1_700_000_000_000 + 3 * 86_400_000 + 7_384_000)
    #expect(
      rows(screen) == [
        "flowprobe 0.1.0, up 3d 2:03:04",
        "Flows: 187 active, 420 at most, 0 new/s, room for 2000000",
        "Losses: kernel 0, interface 0, undecodable 0, early 0, table 0, export 0, NAT 0",
        "",
        "SOURCE                    PACKETS/S     BITS/S  DROPPED  UNDECODABLE",
        "nflog:1                           0          0        0            0",
        "nflog:2                           0          0        0            0",
        "",
        "COLLECTOR                              MESSAGES/S  FLOWS/S  LOST FLOWS  ERRORS  STATE",
        "127.0.0.1:2055                                  0        0           0       0  connected",
        "[2001:db8::1]:2055@[2001:db8::2]%eth0           0        0           0       0  unconnected",
      ])
    #expect(screen.head.flatMap(\.spans).filter { $0.style == .alert }.map(\.text) == ["unconnected"])
  }

  @Test("rates are what came between two readings, by the time between them")
  func rates() {
    var screen = TopScreen(
      reading: reading {
        $0.meters[1].counters.meteredPackets += 500
        $0.meters[1].counters.meteredOctets += 5_000_000
        $0.meters[0].counters.createdFlows += 30
        $0.destinations[0].export.messages += 8
        $0.destinations[0].export.sent.flows += 240
      }, previous: reading())
    screen.seconds = 2
    let found = rows(screen)
    #expect(found[1] == "Flows: 187 active, 420 at most, 15 new/s, room for 2000000")
    #expect(found[6] == "nflog:2                         250      20.0M        0            0")
    #expect(found[9] == "127.0.0.1:2055                                  4      120           0       0  connected")
  }

  @Test("losses stand out while they grow")
  func losses() {
    let losses = MetricsReading(PrometheusText.text(StatisticsSample.losses))
    let names = "Losses: kernel 100, interface 20, undecodable 7, early 7, table 1, export 111, NAT 30"
    func alerts(_ screen: TopScreen) -> [String] {
      screen.head[2].spans.filter { $0.style == .alert }.map(\.text)
    }
    let before = TopScreen(reading: losses, previous: reading())
    #expect(rows(before)[2] == names)
    #expect(alerts(before) == ["100", "20", "7", "7", "1", "111", "30"])
    #expect(rows(before)[8].hasSuffix(" 11      18  refuses"))
    let after = TopScreen(reading: losses, previous: losses)
    #expect(rows(after)[2] == names)
    #expect(alerts(after) == [])
  }

  @Test("many sources and collectors are told by their number")
  func many() {
    var screen = TopScreen(
      reading: reading { statistics in
        statistics.meters = (1...20).map { ProbeStatistics.Meter(source: "nflog:\($0)") }
      })
    screen.mostRows = 4
    #expect(
      rows(screen)[8...9] == ["nflog:4                           0          0        0            0", "and 16 more"])
  }

  @Test("talkers stand in columns, what they are sorted by is marked, and a note stays a note")
  func talkers() throws {
    var query = TalkersQuery()
    (query.measure, query.subject) = (.packets, .host)
    let answer = """
      # octets packets flows bits/s host
      9000 8 1 7200000 198.51.100.2
      1000 10 22 800 2001:db8::1
      # more than 65536 were seen: packets may be too small by up to 3

      """
    #expect(
      TopScreen.talkers(answer, query).map(\.plain) == [
        "        OCTETS     *PACKETS     FLOWS    BITS/S  HOST",
        "          9000            8         1      7.2M  198.51.100.2",
        "          1000           10        22       800  2001:db8::1",
        "more than 65536 were seen: packets may be too small by up to 3",
      ])
  }

  @Test("a row is cut to the terminal's width, and names give it no orders")
  func cut() {
    let row = StyledRow([
      StyledRow.Span(text: "ab"), StyledRow.Span(text: "c\u{1b}[2Jd", style: .alert), StyledRow.Span(text: "ef"),
    ])
    #expect(row.escaped(width: 100) == "ab\u{1b}[1;31mc?[2Jd\u{1b}[0mef")
    #expect(row.escaped(width: 3) == "ab\u{1b}[1;31mc\u{1b}[0m")
    #expect(row.escaped(width: 2) == "ab")
    #expect(StyledRow("tïtle", .heading).escaped(width: 4) == "\u{1b}[1mtïtl\u{1b}[0m")
  }

  @Test("figures are scaled to what is read at a glance")
  func scaled() {
    let figures: [Double] = [0, 9.9, 9999, 10_000, 12_345, 99_949, 99_950, 999_499, 999_500, 1_500_000, 2e12, 3e19]
    #expect(
      figures.map(\.scaled) == [
        "0", "9", "9999", "10.0k", "12.3k", "99.9k", "100k", "999k", "1.0M", "1.5M", "2.0T", "30.0E",
      ])
  }
}
