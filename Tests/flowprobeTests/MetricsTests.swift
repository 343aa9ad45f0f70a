// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc
import Synchronization
import Testing

@testable import flowprobe

@Suite("Metrics by HTTP")
struct MetricsTests {
  private func time(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

  @Test("an address is a port, which is on the loopback interface, or an address and a port")
  func addresses() {
    #expect(ListeningAddress("9995")?.description == "127.0.0.1:9995")
    #expect(ListeningAddress("0.0.0.0:80")?.description == "0.0.0.0:80")
    #expect(ListeningAddress("[2001:db8::1]:9995")?.description == "[2001:db8::1]:9995")
    for text in ["", "0", "65536", "x", ":9995", "localhost:9995", "::1:9995", "[127.0.0.1]:9995", "[::1]", "1.2.3.4:"]
    {
      #expect(ListeningAddress(text) == nil, "\(text)")
    }
  }

  @Test("a port that is taken is told, with what to do")
  func taken() throws {
    var number: UInt16 = 20_000
    var found: (address: ListeningAddress, descriptor: Int32)?
    while found == nil {
      number += 1
      let address = try #require(ListeningAddress("\(number)"))
      if let descriptor = try? address.listen() { found = (address, descriptor) }
    }
    let (address, descriptor) = try #require(found)
    defer { close(descriptor) }
    let error = try #require(throws: ListeningError.self) { try address.listen() }
    #expect(
      error.description
        == "cannot serve metrics on 127.0.0.1:\(number): address already in use;"
        + " give an address of this machine and a free port with --metrics")
  }

  @Test("a thread that makes no round for ten seconds is trouble, until it makes one")
  func health() {
    let (meter, export) = (ThreadPulse(name: "meter eth0"), ThreadPulse(name: "export"))
    let health = ProbeHealth { [meter, export] }
    health.note(at: time(0))
    #expect(health.trouble(at: time(9999)) == nil)
    export.beat()
    #expect(health.trouble(at: time(10_000)) == "the thread 'meter eth0' has made no round for 10 s")
    #expect(
      health.trouble(at: time(20_500)) == "the thread 'meter eth0' has made no round for 20 s;"
        + " the thread 'export' has made no round for 10 s")
    meter.beat()
    export.beat()
    #expect(health.trouble(at: time(20_600)) == nil)
  }

  @Test("rounds are dated by when they were noted, not by when somebody asks")
  func noted() {
    let pulse = ThreadPulse(name: "export")
    let health = ProbeHealth { [pulse] }
    health.note(at: time(0))
    pulse.beat()
    health.note(at: time(1000))
    health.note(at: time(8000))
    #expect(health.trouble(at: time(11_000)) == "the thread 'export' has made no round for 10 s")
  }

  @Test("a thread that has gone is no trouble, and one that comes has ten seconds from then on")
  func comingAndGoing() {
    let pulses = Mutex([ThreadPulse(name: "meter eth0")])
    let health = ProbeHealth { pulses.withLock { $0 } }
    health.note(at: time(0))
    #expect(health.trouble(at: time(20_000)) != nil)
    pulses.withLock { $0 = [ThreadPulse(name: "meter eth1")] }
    #expect(health.trouble(at: time(20_000)) == nil)
    #expect(health.trouble(at: time(30_000)) == "the thread 'meter eth1' has made no round for 10 s")
  }

  @Test("a program that is ending says so")
  func ending() {
    let health = ProbeHealth { [] }
    health.end()
    #expect(health.trouble(at: time(0)) == "flowprobe is ending")
    let pages = MetricsPages(health) { StatisticsSample.statistics }
    #expect(pages.page("/healthz", at: time(0)) == HTTPPage(status: 503, text: "flowprobe is ending\n"))
  }

  @Test("the pages are the statistics, the health and a list of these")
  func pages() {
    let pages = MetricsPages(ProbeHealth { [] }) { StatisticsSample.statistics }
    let metrics = pages.page("/metrics")
    #expect(metrics.status == 200 && metrics.type == "text/plain; version=0.0.4; charset=utf-8")
    #expect(metrics.text == PrometheusText.text(StatisticsSample.statistics))
    #expect(pages.page("/healthz") == HTTPPage(status: 200, text: "ok\n"))
    #expect(pages.page("/").text.contains("/metrics") && pages.page("/").text.contains("/healthz"))
    #expect(pages.page("/metrics/").status == 404)
  }

  @Test("statistics are gathered when they are asked for, once a second at most")
  func once() {
    let count = Mutex(0)
    let pages = MetricsPages(ProbeHealth { [] }) {
      count.withLock { $0 += 1 }
      return StatisticsSample.statistics
    }
    #expect(count.withLock { $0 } == 0)
    for moment: Int64 in [0, 10, 999, 1000, 1999, 5000] { _ = pages.page("/metrics", at: time(moment)) }
    #expect(count.withLock { $0 } == 3)
  }
}
