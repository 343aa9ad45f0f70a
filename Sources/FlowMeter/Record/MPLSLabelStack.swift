// SPDX-License-Identifier: Apache-2.0

/// The entries of a packet's MPLS label stack that are recorded, from the top (RFC 3032 section 2.1).
///
///      0                   1                   2                   3
///     |                 Label                 | EXP |S|      TTL      |
///
/// 48 octets, which batch and table keep apart from packet and Flow: what has no labels costs neither memory nor time
/// for them. How many entries there are stands in the key (``FlowKey/recordedLabels``). Labels and the S bit tell Flows
/// apart; EXP and TTL, which vary along a label switched path, are those of a Flow's first packet.
public struct MPLSLabelStack: Sendable {
  /// How many entries can be recorded: as many as there are Information Elements for them.
  public static let mostEntries = 10

  /// What two packets of a Flow have in common in two entries: labels and S bits.
  private static let keyBits: UInt64 = 0xffff_f100_ffff_f100

  /// Two entries each, the upper one in the high half; 0 where none is recorded.
  private var first, second, third, fourth, fifth: UInt64
  /// IE 202: how many entries the first packet's stack had, with those that are not recorded.
  public private(set) var depth: UInt32

  @inline(__always)
  public init() { (first, second, third, fourth, fifth, depth) = (0, 0, 0, 0, 0, 0) }

  /// Reads the first `recorded` entries of a stack of `depth` that begins at `start`.
  package init(_ bytes: RawSpan, at start: Int, depth: Int, recorded: Int) {
    func pair(_ place: Int) -> UInt64 {
      func entry(_ place: Int) -> UInt64 { place < recorded ? UInt64(bytes.uint32(at: start + 4 * place)) : 0 }
      return entry(place) << 32 | entry(place + 1)
    }
    (first, second, third, fourth, fifth) = (pair(0), pair(2), pair(4), pair(6), pair(8))
    self.depth = UInt32(depth)
  }

  /// An entry's label, EXP and S: IE 70 of the top one, IE 71 to 79 of those below it; 0 where none is recorded.
  public func section(_ place: Int) -> UInt32 {
    precondition((0..<Self.mostEntries).contains(place))
    let pair =
      switch place / 2 {
      case 0: first
      case 1: second
      case 2: third
      case 3: fourth
      default: fifth
      }
    return UInt32(truncatingIfNeeded: place % 2 == 0 ? pair >> 32 : pair) >> 8
  }

  /// IE 200: the top entry's.
  public var topTTL: UInt8 { UInt8(truncatingIfNeeded: first >> 32) }

  /// Whether packets with these stacks can be of one Flow.
  @inline(__always)
  func isSamePath(as other: borrowing MPLSLabelStack) -> Bool {
    let upper = (first ^ other.first) | (second ^ other.second) | (third ^ other.third)
    return (upper | (fourth ^ other.fourth) | (fifth ^ other.fifth)) & Self.keyBits == 0
  }

  /// What ``isSamePath(as:)`` compares, word by word.
  func reduceKey(_ start: UInt64, _ fold: (UInt64, UInt64) -> UInt64) -> UInt64 {
    var result = fold(start, first & Self.keyBits)
    result = fold(result, second & Self.keyBits)
    result = fold(result, third & Self.keyBits)
    result = fold(result, fourth & Self.keyBits)
    return fold(result, fifth & Self.keyBits)
  }
}
