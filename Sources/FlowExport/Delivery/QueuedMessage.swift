// SPDX-License-Identifier: Apache-2.0

/// A complete IPFIX message that waits for its Collector.
struct QueuedMessage: Sendable {
  var octets: [UInt8]
  var contents: MessageBatch.Contents

  private typealias Offset = IPFIXMessage.Offset

  /// Of the first Data Record in it, or behind it.
  var sequence: UInt32 {
    get { number(at: Offset.sequence) }
    set { set(newValue, at: Offset.sequence) }
  }

  /// Of the first Data Record behind it.
  var nextSequence: UInt32 { sequence &+ contents.records }

  /// Seconds since 1970.
  var exportTime: UInt32 {
    get { number(at: Offset.exportTime) }
    set { set(newValue, at: Offset.exportTime) }
  }

  /// The Observation Domain ID.
  var domain: UInt32 { number(at: Offset.domain) }

  private func number(at offset: Int) -> UInt32 {
    octets[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  private mutating func set(_ number: UInt32, at offset: Int) {
    for place in 0..<4 { octets[offset + place] = UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * place)) }
  }
}

extension MessageBatch {
  /// Messages `range`, each by itself.
  func messages(_ range: Range<Int>) -> [QueuedMessage] {
    var offset = offset(of: range.lowerBound)
    return range.map { place in
      let length = Int(lengths[place])
      defer { offset += length }
      return QueuedMessage(octets: octets.copy(offset..<offset + length), contents: contents[place])
    }
  }
}
