// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import flowprobe

@Suite("Rates")
struct RateMeterTests {
  /// A meter that was shown these totals, a second apart.
  private func meter(_ totals: [UInt64], span: Int = 900) -> RateMeter {
    var meter = RateMeter(span: .seconds(span))
    for (second, total) in totals.enumerated() {
      meter.note(total, at: Timestamp(milliseconds: 5000 + Int64(second) * 1000))
    }
    return meter
  }

  @Test("without totals or time nothing grew")
  func nothing() {
    #expect(meter([]).growth(over: .seconds(4)) == RateMeter.Growth())
    #expect(meter([7]).growth(over: .seconds(4)).perSecond() == 0)
  }

  @Test("a rate is of the asked time, and of what there is before that has passed")
  func windows() {
    let meter = meter([0, 100, 200, 300, 400, 1400, 2400])
    #expect(meter.growth(over: .seconds(2)) == RateMeter.Growth(amount: 2000, milliseconds: 2000))
    #expect(meter.growth(over: .seconds(4)).perSecond() == 550)
    #expect(meter.growth(over: .seconds(60)).perSecond() == 400)
    #expect(meter.growth(over: .seconds(4)).perSecond(times: 8) == 4400)
  }

  @Test("totals at odd times are reckoned with their own times")
  func oddTimes() {
    var meter = RateMeter(span: .seconds(60))
    for (time, total) in [(0, 0), (1500, 30), (1900, 31), (6400, 121)] {
      meter.note(UInt64(total), at: Timestamp(milliseconds: Int64(time)))
    }
    // Four seconds before the last one is 2400: the newest total from before that is 1900's.
    #expect(meter.growth(over: .seconds(4)) == RateMeter.Growth(amount: 90, milliseconds: 4500))
    #expect(meter.growth(over: .seconds(4)).perSecond() == 20)
  }

  @Test("a burst leaves the average when its time is over, not before and not gradually")
  func burst() {
    let quiet = Array(repeating: UInt64(0), count: 100)
    let after = Array(repeating: UInt64(6000), count: 60)
    #expect(meter(quiet + after).growth(over: .seconds(60)).perSecond() == 100)
    #expect(meter(quiet + after + [6000]).growth(over: .seconds(60)).perSecond() == 0)
  }

  @Test("hours of totals leave the rates of the longest time right")
  func long() {
    let meter = meter((0..<20_000).map { UInt64($0) * 3 })
    #expect(meter.growth(over: .seconds(900)) == RateMeter.Growth(amount: 2700, milliseconds: 900_000))
  }

  @Test("the meters of the program give each figure its time")
  func program() {
    var meters = ProbeMeters()
    for second in 0...1000 {
      var statistics = ProbeStatistics()
      statistics.moment = Timestamp(milliseconds: Int64(second) * 1000)
      // Ten packets of 125 octets a second, in the last minute a hundred; every lookup of that minute takes two entries.
      let late = UInt64(max(0, second - 940))
      let packets = UInt64(min(second, 940)) * 10 + late * 100
      var meter = ProbeStatistics.Meter(source: "eth0")
      (meter.counters.meteredPackets, meter.counters.meteredOctets) = (packets, packets * 125)
      meter.counters.searchedEntries = late * 100
      statistics.meters = [meter]
      meters.note(statistics)
    }
    let rates = meters.rates
    #expect((rates.traffic.now.packets, rates.traffic.now.bits) == (100, 100_000))
    #expect((rates.traffic.minute.packets, rates.traffic.minute.bits) == (100, 100_000))
    // 240 s of 10 and 60 s of 100.
    #expect((rates.traffic.fiveMinutes.packets, rates.traffic.fiveMinutes.bits) == (28, 28_000))
    #expect(rates.threads == ["eth0": 100])
    #expect(rates.metric.map(\.hundredths) == ["2.00", "2.00", "1.71", "1.41"])
  }

  @Test("each of a source's threads has its own rate")
  func threads() {
    var meters = ProbeMeters()
    for second in 0...1 {
      var statistics = ProbeStatistics()
      statistics.moment = Timestamp(milliseconds: Int64(second) * 1000)
      statistics.meters = [1, 2].map { number in
        var meter = ProbeStatistics.Meter(source: "eth0", number: number)
        meter.counters.meteredPackets = UInt64(second * number * 10)
        return meter
      }
      meters.note(statistics)
    }
    #expect(meters.rates.threads == ["eth0/1": 10, "eth0/2": 20])
  }

  @Test("sources may come, go and come again, and each keeps its own rate")
  func sources() {
    var meters = ProbeMeters()
    func note(_ second: Int64, _ packets: [(String, UInt64)]) -> [String: UInt64] {
      var statistics = ProbeStatistics()
      statistics.moment = Timestamp(milliseconds: second * 1000)
      statistics.meters = packets.map { name, packets in
        var meter = ProbeStatistics.Meter(source: name)
        meter.counters.meteredPackets = packets
        return meter
      }
      meters.note(statistics)
      return meters.rates.threads
    }
    #expect(note(0, [("eth0", 0), ("eth1", 1000)]) == ["eth0": 0, "eth1": 0])
    #expect(note(1, [("eth0", 10), ("eth1", 1200)]) == ["eth0": 10, "eth1": 200])
    #expect(note(2, [("eth1", 1400)]) == ["eth1": 200])
    #expect(note(3, [("eth0", 0), ("eth1", 1600)]) == ["eth0": 0, "eth1": 200])
    // Away and back between two seconds: its counters began again.
    #expect(note(4, [("eth0", 0), ("eth1", 5)])["eth1"] == 0)
  }
}
