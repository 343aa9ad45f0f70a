// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowNetfilter

@Suite("Settings of conntrack")
struct ConntrackSettingsTests {
  private func notices(
    events: Int?, counts: Bool = true, stamps: Bool = true, exportsEvents: Bool = true
  ) -> [String] {
    var settings = ConntrackSettings()
    (settings.events, settings.counts, settings.stamps) = (events, counts, stamps)
    return settings.notices(exportsEvents: exportsEvents)
  }

  @Test("an operator is told of each setting that costs NAT events something, and how to change it")
  func sentences() {
    #expect(notices(events: 1) == [])
    #expect(notices(events: 2) == [])
    #expect(
      notices(events: 0) == [
        "conntrack makes no events: no NAT event will come; set net.netfilter.nf_conntrack_events=2"
      ])
    let counts = notices(events: 2, counts: false)
    #expect(counts.count == 1)
    #expect(counts.first?.contains("net.netfilter.nf_conntrack_acct=1") == true)
    let stamps = notices(events: 2, stamps: false)
    #expect(stamps.count == 1)
    #expect(stamps.first?.contains("net.netfilter.nf_conntrack_timestamp=1") == true)
    #expect(notices(events: 0, counts: false, stamps: false).count == 3)
  }

  @Test("who only completes Flows is not told of what NAT events lack")
  func translationsOnly() {
    #expect(notices(events: 2, counts: false, stamps: false, exportsEvents: false) == [])
    #expect(notices(events: 0, counts: false, stamps: false, exportsEvents: false).count == 1)
    #expect(notices(events: nil, exportsEvents: false).count == 1)
  }

  @Test("translations become known where events are made")
  func makesEvents() {
    var settings = ConntrackSettings()
    let made = ([nil, 0, 1, 2] as [Int?]).map { events in
      settings.events = events
      return settings.makesEvents
    }
    #expect(made == [false, false, true, true])
  }

  @Test("where there is no connection tracking that is all there is to tell")
  func none() {
    #expect(
      notices(events: nil, counts: false, stamps: false) == [
        "there is no connection tracking here: no translation is known; load it: 'modprobe nf_conntrack'"
      ])
  }
}
