// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowMeter

@Suite("Capture that is refused, or ends")
struct CaptureRefusalTests {
  private static let mayCapture = geteuid() == 0

  @Test("the kernel's room for filters is advised where it has none, and not for another reason")
  func filter() {
    #expect(
      CaptureSession.filterRefusal("eth0", SystemError(code: ENOMEM)).description
        == "cannot capture on interface 'eth0': no filter can be set (cannot allocate memory); raise net.core.optmem_max"
    )
    #expect(
      CaptureSession.filterRefusal("eth0", SystemError(code: EPERM)).description
        == "cannot capture on interface 'eth0': no filter can be set (operation not permitted);"
        + " see whether a sandbox forbids it (SO_ATTACH_FILTER)")
  }

  @Test("an interface that is not there, or down, is waited for without a word; another refusal is told")
  func afterReturn() {
    func refusal(_ name: String, _ reason: String) -> String? {
      CaptureSession.refusal(name, afterReturn: .interface(name: name, reason: reason, advice: "see 'ip link'"))?
        .description
    }
    #expect(refusal("nosuch0", "no such device") == nil)
    #expect(refusal("lo", "the interface is down") == nil)
    #expect(
      refusal("lo", "socket: Too many open files")
        == "cannot capture on interface 'lo': socket: Too many open files; trying again every second")
  }

  @Test("a ring that packets cannot be kept out of is over when its time is", .enabled(if: mayCapture))
  func overdue() throws {
    let sessions = try CaptureSession.open(2, of: "lo", CaptureInterface.Configuration(), opening: 0)
    // From here on its filter cannot be changed (socket(7)).
    var on = Int32(1)
    let result = unsafe setsockopt(
      sessions[0].descriptor, SOL_SOCKET, 44, &on, socklen_t(MemoryLayout<Int32>.size))  // SO_LOCK_FILTER
    #expect(result == 0)
    #expect(!sessions[0].isOverdue)
    for session in sessions { session.close(within: .milliseconds(50)) }
    #expect(!sessions[0].isOverdue)
    usleep(60_000)
    #expect(sessions[0].isOverdue)
    // It takes none any more, and is read until it is empty.
    #expect(!sessions[1].isOverdue)
  }

  @Test("rings that no lane has taken yet are taken, and given up, before others are opened", .enabled(if: mayCapture))
  func untaken() throws {
    let lanes = try CaptureLanes(2, of: "lo", CaptureInterface.Configuration())
    let first = try #require(try lanes.take(0))
    #expect(lanes.fail(first.session))
    lanes.leave()
    #expect(try lanes.take(0) == nil)
    let late = try #require(try lanes.take(1))
    #expect(late.session.opening != lanes.opening)
    #expect(try lanes.take(0) == nil)
    lanes.leave()
    let next = try #require(try lanes.take(0))
    #expect(next.isFirst)
    #expect(next.session.opening == lanes.opening)
  }
}
