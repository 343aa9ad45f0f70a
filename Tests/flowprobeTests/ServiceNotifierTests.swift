// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Glibc
import Testing

@testable import flowprobe

@Suite("What the service manager is told")
struct ServiceNotifierTests {
  /// The socket of a service manager, under a name that no file has.
  private final class Manager {
    let name = "@flowprobe-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    private let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)

    init() {
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0[1...].copyBytes(from: name.utf8.dropFirst()) }
      let length = socklen_t(2 + name.utf8.count)
      unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = unsafe bind(descriptor, $0, length) }
      }
    }

    deinit { close(descriptor) }

    /// What was told and not yet heard; nil for nothing.
    func hear() -> String? {
      unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
        let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : unsafe String(decoding: buffer[..<count], as: UTF8.self)
      }
    }
  }

  private func notifier(_ environment: [String: String]) -> ServiceNotifier {
    ServiceNotifier { environment[$0] }
  }

  @Test("each state is one datagram in the words of sd_notify")
  func words() throws {
    let manager = Manager()
    let notifier = notifier(["NOTIFY_SOCKET": manager.name])
    #expect(notifier.isHeard)
    notifier.ready()
    #expect(manager.hear() == "READY=1")
    notifier.status("5 active flows")
    #expect(manager.hear() == "STATUS=5 active flows")
    notifier.watchdog()
    #expect(manager.hear() == "WATCHDOG=1")
    notifier.stopping()
    #expect(manager.hear() == "STOPPING=1")
    let earliest = Timestamp.monotonicClock().milliseconds
    notifier.reloading()
    let lines = try #require(manager.hear()).split(separator: "\n")
    #expect(lines.count == 2 && lines[0] == "RELOADING=1" && lines[1].hasPrefix("MONOTONIC_USEC="))
    let microseconds = try #require(Int64(lines[1].dropFirst("MONOTONIC_USEC=".count)))
    #expect(microseconds / 1000 >= earliest && microseconds / 1000 <= Timestamp.monotonicClock().milliseconds)
    #expect(manager.hear() == nil)
  }

  @Test("without a manager, or with one that is gone, nothing is told and nothing goes wrong")
  func nobody() {
    for environment in [[:], ["NOTIFY_SOCKET": "@flowprobe-nobody"], ["NOTIFY_SOCKET": "no/path"]] {
      let notifier = notifier(environment.merging(["WATCHDOG_USEC": "1000000"]) { $1 })
      #expect(!notifier.isHeard)
      #expect(notifier.watchdogTime == nil)
      notifier.ready()
    }
    var manager: Manager? = Manager()
    let notifier = notifier(["NOTIFY_SOCKET": manager?.name ?? ""])
    manager = nil
    notifier.ready()
    #expect(notifier.isHeard)
  }

  @Test("the watchdog's time is that of this process alone")
  func watchdogTime() {
    let manager = Manager()
    func time(_ process: String?) -> Duration? {
      var environment = ["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "2500000"]
      environment["WATCHDOG_PID"] = process
      return notifier(environment).watchdogTime
    }
    #expect(time(nil) == .milliseconds(2500))
    #expect(time("\(getpid())") == .milliseconds(2500))
    #expect(time("1") == nil)
  }

  @Test("the watchdog is fed by the export and by nothing else, and no more often than it needs")
  func feeding() throws {
    let manager = Manager()
    let notifier = notifier(["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "3600000000"])
    let configuration = try #require(try metering("-i eth0")).configuration
    let table = try FlowTable(FlowTable.Configuration())
    let report = ServiceReport(notifier) { ProbeParts(configuration: configuration, table: table) }
    #expect(manager.hear() == nil)
    let instant = ExportInstant(now: .wallClock(), boot: .wallClock())
    report.begin(at: instant)
    #expect(manager.hear() == "WATCHDOG=1")
    report.begin(at: instant)
    #expect(manager.hear() == nil)
    #expect(ServiceReport.text(12, 3400) == "12 active flows, 3400 packets a second")
  }
}
