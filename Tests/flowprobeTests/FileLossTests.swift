// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

@Suite("What was lost of a capture file")
struct FileLossTests {
  @Test("flows that wait in memory alone at the end are a loss; what waits in a spool is none")
  func pending() {
    var statistics = ExportStatistics()
    (statistics.pending.flows, statistics.delivery) = (5, DeliveryStatistics())
    statistics.delivery?.spool = SpoolStatistics()
    statistics.delivery?.spool?.waiting.flows.flows = 5
    #expect(!statistics.hasLoss)
    statistics.delivery?.queued.flows.flows = 1
    #expect(statistics.hasLoss)
  }
}
