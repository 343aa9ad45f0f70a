// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// A few batches that are filled outside of the time that is measured.
///
/// So few that they stay in the second-level cache, where the batch lies that a capture loop has just filled; so many
/// that reading the clock does not show.
final class BatchRing {
  private typealias Batches = InlineArray<16, PacketBatch>

  private var batches = Batches { _ in PacketBatch() }
  private var frame = Frame()
  private let mixture: Conversation.Mixture

  init(_ mixture: Conversation.Mixture) { self.mixture = mixture }

  /// Fills every batch with packets of the conversations whose numbers `next` gives.
  func fill(at time: Timestamp, _ next: () -> Int) {
    for i in batches.indices {
      batches[i].reset(at: nil)
      while !batches[i].isFull {
        let number = next()
        frame.write(Conversation(number: number, mixture), length: 590, serial: number)
        frame.append(to: &batches[i], at: time)
      }
    }
  }

  func update(_ flows: some FlowCounting) {
    for i in batches.indices { flows.update(batches[i]) }
  }
}
