// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The NAT events of one template that have not left yet.
final class PendingEvents {
  let template: Template<NATEvent>
  private(set) var records = MessageBuffer(capacity: MessageBatch.longestMessage)
  private(set) var count: UInt64 = 0

  init(_ template: Template<NATEvent>) { self.template = template }

  func append(_ event: NATEvent, at instant: ExportInstant) {
    template.encode(event, at: instant, to: &records)
    count += 1
  }

  /// Moves the records behind what `message` has, and says how many they were.
  func move(to message: inout MessageBuffer) -> UInt64 {
    message.append(records)
    records.removeAll()
    defer { count = 0 }
    return count
  }
}
