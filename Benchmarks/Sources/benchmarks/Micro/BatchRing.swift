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

  /// - Parameter mixture: of conversations that are given by their numbers.
  init(_ mixture: Conversation.Mixture = .mixed) { self.mixture = mixture }

  /// Fills every batch with packets of the conversations whose numbers `next` gives.
  func fill(at time: Timestamp, _ next: () -> Int) {
    fill(at: time) { Conversation(number: next(), mixture) }
  }

  /// Fills every batch with packets of these conversations.
  func fill(at time: Timestamp, _ next: () -> Conversation) {
    for i in batches.indices {
      batches[i].reset(at: nil)
      while !batches[i].isFull {
        frame.write(next(), length: 590, serial: batches[i].count)
        frame.append(to: &batches[i], at: time)
      }
    }
  }

  func update(_ flows: some FlowCounting) {
    for i in batches.indices { flows.update(batches[i]) }
  }
}
