// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowNetfilter

@Suite("Packets that the kernel could not deliver")
struct SequenceGapsTests {
  private func missing(_ sequences: [UInt32]) -> UInt64 {
    var gaps = SequenceGaps()
    for sequence in sequences { gaps.note(sequence) }
    return gaps.packets
  }

  @Test("numbers that follow each other from 0 have no gap")
  func none() {
    #expect(missing([]) == 0)
    #expect(missing([0, 1, 2, 3]) == 0)
  }

  @Test("a first number that is not 0 tells of those before it")
  func first() {
    #expect(missing([1]) == 1)
    #expect(missing([1000, 1001]) == 1000)
  }

  @Test("each gap counts the numbers that it skips, and gaps add up")
  func gaps() {
    #expect(missing([0, 2]) == 1)
    #expect(missing([0, 1, 5, 6, 10]) == 6)
  }

  @Test("the numbers go on from 0 behind 2³² - 1, with a gap or without")
  func wrapAround() {
    #expect(missing([0, 4_294_967_295, 0, 1]) == 4_294_967_294)
    #expect(missing([0, 4_294_967_294, 1]) == 4_294_967_293 + 2)
  }

  @Test("an overrun counts for one packet until the next number tells how many it was")
  func overruns() {
    var gaps = SequenceGaps()
    gaps.note(0)
    gaps.noteOverrun()
    #expect(gaps.packets == 1)
    gaps.note(31)
    #expect(gaps.packets == 30)
    gaps.note(32)
    gaps.noteOverrun()
    gaps.noteOverrun()
    #expect(gaps.packets == 30)
  }
}
