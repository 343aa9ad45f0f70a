// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws or reads a clock.

/// Packets that the kernel numbered and could not deliver.
struct SequenceGaps {
  private var expected: UInt32 = 0
  private var skipped: UInt64 = 0
  private var overruns: UInt64 = 0

  /// How many packets are missing: the numbers that were skipped. Of a loss behind which no packet has come yet only
  /// that it was.
  var packets: UInt64 { max(skipped, overruns) }

  /// Takes the number of the next packet.
  @inline(__always)
  mutating func note(_ sequence: UInt32) {
    if sequence != expected { skipped &+= UInt64(sequence &- expected) }
    expected = sequence &+ 1
  }

  /// The socket's buffer was full.
  mutating func noteOverrun() { overruns += 1 }
}
