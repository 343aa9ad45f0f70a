// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter

@testable import flowprobe

/// Statistics and texts for the tests of the statistics files.
enum StatisticsSample {
  /// What a text of ipt_NETFLOW 2.6 looks like (values invented), in its layout to the column.
  static let original = """
    ipt_NETFLOW 2.6, srcversion 0123456789ABCDEF01234567; dir llist mac nel samp vlan
    Protocol version 10 (ipfix), refresh-rate 20, timeout-rate 30, (templates 7, active 7).
    Timeouts: active 1800s, inactive 15s. Maxflows 2000000
    Flow sampling is disabled.
    Natevents enabled, count start 12, stop 9.
    Flows: active 187 (peak 420 reached 0d3h12m ago), mem 5161K, worker delay 25/250 [1..25] (12 ms, 0 us, 42:0 0 [cpu1]).
    Hash: size 655360 (mem 5120K), metric 1.00 [1.00, 1.00, 1.01]. InHash: 912 pkt, 410 K, InPDU 28, 6716.
    Rate: 202448 bits/sec, 83 packets/sec; Avg 1 min: 668463 bps, 930 pps; 5 min: 329039 bps, 483 pps
    cpu#     pps; <search found new [metric], trunc frag alloc maxflows>, traffic: <pkt, bytes>, drop: <pkt, bytes>
    Total     83;    540 180600  10473 [1.00],    0    3    0    0, traffic: 191073, 142 MB, drop: 0, 0 K
    cpu0      40;    300  90000   5000 [1.00],    0    1    0    0, traffic: 95000, 70 MB, drop: 0, 0 K
    cpu1      43;    240  90600   5473 [1.00],    0    2    0    0, traffic: 96073, 72 MB, drop: 0, 0 K
    Export: Rate 311 bytes/s; Total 402 pkts, 0 MB, 10286 flows; Errors 0 pkts; Traffic lost 0 pkts, 0 Kbytes, 0 flows.
    sock0: 127.0.0.1:2055, sndbuf 212992, filled 1, peak 2305; err: sndbuf reached 0, connect 0, cberr 0, other 0
    sock1: [2001:db8::1]:2055@[2001:db8::2]%eth0 unconnected (14 attempts).
    """.split(separator: "\n").map(String.init)

  /// Lines that users of ipt_NETFLOW showed in their public questions, of versions 2.2 and 2.6.
  static let users = """
    ipt_NETFLOW 2.6-12-g40fefb2, srcversion D591EC4E9D437B9AA55C498; llist
    ipt_NETFLOW 2.2, srcversion ECDD053FB28D2E5A9910D50; llist promisc
    Protocol version 5 (netflow)
    Protocol version 10 (ipfix), refresh-rate 20, timeout-rate 30, (templates 5, active 5).
    Timeouts: active 1800s, inactive 15s. Maxflows 2000000
    Promisc hack is enabled (observed 14166502888 packets, discarded 5895459).
    Flows: active 0 (peak 0 reached 0d0h43m ago), mem 256K, worker delay 25/250 [1..25] (68 ms, 0 us, 0:0 0 [cpu1]).
    Flows: active 20215 (peak 20217 reached 0d0h0m ago), mem 7962K, worker delay 25/250 [1..25] (28 ms, 0 us, 254:2 0 [cpu44]).
    Hash: size 655360 (mem 5120K), metric 1.33 [1.31, 1.03, 1.00]. InHash: 124611256 pkt, 108441434 K, InPDU 46, 7196.
    Rate: 2324629456 bits/sec, 319874 packets/sec; Avg 1 min: 2314517314 bps, 318021 pps; 5 min: 2275084790 bps, 314798 pps
    cpu#     pps; <search found new [metric], trunc frag alloc maxflows>, traffic: <pkt, bytes>, drop: <pkt, bytes>
    Total      0;      0      0      0 [0.00],    0    0    0    0, traffic: 0, 0 MB, drop: 0, 0 K
    Total 319872; 3650897356 12649803127 742643202 [33.58],    0    0    0    0, traffic: 13392446329, 11692054 MB, drop: 0, 0 K
    Total 1024000; 125446 8560074  20794 [1.01],    0    0    0    0, traffic: 8580868, 376 MB, drop: 0, 0 K
    cpu0       0;      0      0      0 [1.00],    0    0    0    0, traffic: 0, 0 MB, drop: 0, 0 K
    cpu1     203; 2788744 10264858 760461 [1.32],    0    0    0    0, traffic: 11025319, 8870 MB, drop: 0, 0 K
    """.split(separator: "\n").map(String.init)

  static var program: ProbeStatistics.Program {
    var program = ProbeStatistics.Program()
    (program.version, program.build) = ("0.1.0", "0123456789ABCDEF")
    program.started = Timestamp(milliseconds: 1_700_000_000_042)
    program.expiration.activeTimeout = .seconds(1800)
    program.maxFlows = 2_000_000
    return program
  }

  /// A thread that metered.
  static func meter(
    _ source: String, captures: Bool = false, searched: UInt64, found: UInt64, new: UInt64, fragments: UInt64,
    octets: UInt64, _ change: (inout MeteringStatistics) -> Void = { _ in }
  ) -> ProbeStatistics.Meter {
    var meter = ProbeStatistics.Meter(source: source, captures: captures)
    meter.counters.observedPackets = found + new
    meter.counters.meteredPackets = found + new
    meter.counters.meteredOctets = octets
    (meter.counters.searchedEntries, meter.counters.createdFlows) = (searched, new)
    meter.counters.orphanedFragments = fragments
    change(&meter.counters)
    return meter
  }

  /// What ``original`` tells.
  static var statistics: ProbeStatistics {
    var statistics = ProbeStatistics()
    statistics.program = program
    statistics.moment = Timestamp(milliseconds: 20_000_000)
    statistics.meters = [
      meter("nflog:1", searched: 300, found: 90_000, new: 5000, fragments: 1, octets: 70 << 20),
      meter("nflog:2", searched: 240, found: 90_600, new: 5473, fragments: 2, octets: 72 << 20),
    ]
    statistics.table.active = 187
    statistics.table.memory = 5161 << 10
    statistics.table.indexEntries = 655_360
    statistics.table.created = 10_473
    statistics.table.taken = FlowTotals(flows: 10_286, packets: 191_073 - 912, octets: 142 << 20 - 410 << 10)
    statistics.peak = FlowPeak.Height(flows: 420, reached: Timestamp(milliseconds: 20_000_000 - 11_520_000))
    statistics.pass.ended = Timestamp(milliseconds: 19_999_988)
    (statistics.pass.pause, statistics.pass.records, statistics.pass.processor) = (25, 42, 1)
    var connected = ExportStatistics()
    connected.sent = statistics.table.taken
    connected.pending = FlowTotals(flows: 3, packets: 28, octets: 6716)
    (connected.messages, connected.octets, connected.templates) = (402, 500_000, 7)
    (connected.isConnected, connected.sendBuffer) = (true, 212_992)
    (connected.sendQueue, connected.sendQueuePeak) = (1, 2305)
    var unconnected = ExportStatistics()
    unconnected.notRepresentable = statistics.table.taken
    unconnected.failedAttempts = 14
    statistics.destinations = [
      ProbeStatistics.Destination(address: "127.0.0.1:2055", export: connected),
      ProbeStatistics.Destination(address: "[2001:db8::1]:2055@[2001:db8::2]%eth0", export: unconnected),
    ]
    statistics.exportsNATEvents = true
    var nat = ProbeStatistics.NAT()
    (nat.connections.created, nat.connections.deleted) = (12, 9)
    statistics.nat = nat
    return statistics
  }

  static var rates: ProbeRates {
    var rates = ProbeRates()
    rates.traffic.now = ProbeRates.Traffic(bits: 202_448, packets: 83)
    rates.traffic.minute = ProbeRates.Traffic(bits: 668_463, packets: 930)
    rates.traffic.fiveMinutes = ProbeRates.Traffic(bits: 329_039, packets: 483)
    rates.metric = [1, 1, 1, 1.01]
    rates.threads = ["nflog:1": 40, "nflog:2": 43]
    rates.export = 311
    return rates
  }

  /// Everything that can be lost has been.
  static var losses: ProbeStatistics {
    var statistics = statistics
    statistics.meters = [
      meter("eth0", captures: true, searched: 5, found: 6, new: 4, fragments: 2, octets: 5000) {
        $0.observedPackets = 20
        $0[DecodeFailure.notIP] = 3
        $0[DecodeFailure.linkHeaderTruncated] = 1
        $0[DecodeFailure.ipVersion] = 6
        $0[DecodeRemark.transportTruncated] = 9
        ($0.kernelDrops, $0.interfaceDrops, $0.evictedFlows) = (100, 20, 7)
        $0.lostInTable = FlowTotals(flows: 1, packets: 2, octets: 3000)
      }
    ]
    statistics.table.taken = FlowTotals()
    statistics.table.lost = FlowTotals(flows: 1, packets: 2, octets: 3000)
    statistics.destinations[0].export.errors = [.bufferFull: 3, .other: 4, .connect: 5]
    statistics.destinations[0].export.refusals = 6
    statistics.destinations[0].export.failedAttempts = 8
    statistics.destinations[0].export.lost = FlowTotals(flows: 11, packets: 22, octets: 33_000)
    statistics.destinations[1].export.lost = FlowTotals(flows: 100, packets: 200, octets: 300_000)
    statistics.nat?.dropped = 13
    statistics.nat?.connections.overruns = 17
    return statistics
  }
}
