// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// How fast things go, at one moment.
struct ProbeRates: Sendable {
  /// Bits of IP and packets metered a second.
  struct Traffic: Sendable {
    var bits: UInt64 = 0
    var packets: UInt64 = 0
  }

  /// Over the last 4 s, 1 and 5 min.
  var traffic = (now: Traffic(), minute: Traffic(), fiveMinutes: Traffic())
  /// Index entries a lookup, over the last 4 s, 1, 5 and 15 min.
  var metric = [1.0, 1.0, 1.0, 1.0]
  /// Packets a second by metering thread, over the last 4 s.
  var threads: [String: UInt64] = [:]
  /// Octets of messages a second, over the last 4 s.
  var export: UInt64 = 0
}

/// The meters behind ``ProbeRates``: shown the statistics about once a second.
struct ProbeMeters {
  private static let moment = Duration.seconds(4)
  private static let minute = Duration.seconds(60)

  private var octets = RateMeter(span: minute * 5)
  private var packets = RateMeter(span: minute * 15)
  /// Index entries that lookups took.
  private var entries = RateMeter(span: minute * 15)
  private var export = RateMeter(span: moment)
  private var threads: [String: RateMeter] = [:]

  mutating func note(_ statistics: ProbeStatistics) {
    let (now, metered) = (statistics.moment, statistics.metered)
    octets.note(metered.meteredOctets, at: now)
    packets.note(metered.meteredPackets, at: now)
    entries.note(metered.searchedEntries &+ metered.meteredPackets, at: now)
    export.note(statistics.exported.octets, at: now)
    // Those that have gone are forgotten.
    let known = threads
    threads = [:]
    for meter in statistics.meters {
      var rate = known[meter.name] ?? RateMeter(span: Self.moment)
      rate.note(meter.counters.meteredPackets, at: now)
      threads[meter.name] = rate
    }
  }

  var rates: ProbeRates {
    var rates = ProbeRates()
    rates.traffic = (traffic(over: Self.moment), traffic(over: Self.minute), traffic(over: Self.minute * 5))
    rates.metric = [Self.moment, Self.minute, Self.minute * 5, Self.minute * 15].map { time in
      let packets = packets.growth(over: time).amount
      return packets > 0 ? Double(entries.growth(over: time).amount) / Double(packets) : 1
    }
    rates.threads = threads.mapValues { $0.growth(over: Self.moment).perSecond() }
    rates.export = export.growth(over: Self.moment).perSecond()
    return rates
  }

  private func traffic(over time: Duration) -> ProbeRates.Traffic {
    ProbeRates.Traffic(
      bits: octets.growth(over: time).perSecond(times: 8), packets: packets.growth(over: time).perSecond())
  }
}
