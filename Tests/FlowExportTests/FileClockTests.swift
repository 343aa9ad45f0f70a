// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowExport
@testable import FlowMeter

@Suite("The clock of a capture file")
struct FileClockTests {
  /// A frame of each of these times, one a round.
  private final class Frames: PacketSource {
    let name = "frames"
    var times: [Int64]

    init(_ times: [Int64]) { self.times = times }

    func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome {
      guard !times.isEmpty else { return .end }
      let time = Timestamp(milliseconds: times.removeFirst())
      let frame = [UInt8](repeating: 0, count: 60)
      unsafe batch.append(frame.span.bytes, CaptureMetadata(time: time, wireLength: 60, linkType: .ethernet))
      return .more
    }

    func drops() -> CaptureDrops { CaptureDrops() }
  }

  private static let twentyDays: Int64 = 1_728_000_000

  @Test("it shows the latest packet's time, and a device that started twenty days before the first one read")
  func packets() throws {
    let first: Int64 = 1_700_000_000_000
    let process = MeteringProcess(source: Frames([first, first + 5, first - 3]), table: try FlowTable())
    var clock = FileClock()
    var instants: [ExportInstant] = []
    while try process.meter(timeout: .zero).outcome != .end { instants.append(clock.instant(of: process)) }
    #expect(instants.map(\.now.milliseconds) == [first, first + 5, first + 5])
    #expect(Set(instants.map(\.boot.milliseconds)) == [first - Self.twentyDays])
    #expect(instants.allSatisfy { $0.shift == 0 })
  }

  @Test("before the first packet it shows when it was made, which says nothing of the device's start")
  func noPacket() throws {
    let process = MeteringProcess(source: Frames([1_700_000_000_000]), table: try FlowTable())
    var clock = FileClock()
    let early = clock.instant(of: process)
    #expect(early.now.milliseconds > 1_700_000_000_000)
    #expect(early.boot.milliseconds == early.now.milliseconds - Self.twentyDays)
    try process.meter(timeout: .zero)
    #expect(clock.instant(of: process).boot.milliseconds == 1_700_000_000_000 - Self.twentyDays)
  }
}
