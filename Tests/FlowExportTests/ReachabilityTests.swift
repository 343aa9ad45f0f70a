// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Whether a Collector is there")
struct ReachabilityTests {
  private func moment(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

  @Test("who has not been heard of is taken to be there")
  func unknown() {
    #expect(Reachability().isGood(at: moment(0), asks: true))
    #expect(Reachability().isGood(at: moment(0), asks: false))
  }

  @Test("after trouble it takes three quiet seconds, and thirty where there is nothing to ask with")
  func trouble() {
    var reachability = Reachability()
    reachability.noteTrouble(at: moment(10_000))
    reachability.noteTrouble(at: moment(11_000))
    #expect(!reachability.isGood(at: moment(11_000), asks: true))
    #expect(!reachability.isGood(at: moment(13_999), asks: true))
    #expect(reachability.isGood(at: moment(14_000), asks: true))
    #expect(!reachability.isGood(at: moment(40_999), asks: false))
    #expect(reachability.isGood(at: moment(41_000), asks: false))
  }

  @Test("who has been sent nothing for ten seconds is asked")
  func silence() {
    var reachability = Reachability()
    #expect(!reachability.isUncertain(at: moment(100_000)))
    reachability.noteSent(at: moment(100_000))
    #expect(!reachability.isUncertain(at: moment(109_999)))
    #expect(reachability.isUncertain(at: moment(110_000)))
  }

  @Test("trouble is told at once, then once a minute, with how often")
  func report() {
    var report = TroubleReport()
    #expect(report.take(at: moment(0)) == nil)
    report.note("refused", times: 2)
    #expect(report.take(at: moment(1)).map { "\($0)" } == "(reason: \"refused\", times: 2)")
    report.note("refused")
    report.note("no route")
    #expect(report.take(at: moment(60_000)) == nil)
    #expect(report.take(at: moment(60_001)).map { "\($0)" } == "(reason: \"no route\", times: 2)")
    #expect(report.take(at: moment(200_000)) == nil)
  }
}
