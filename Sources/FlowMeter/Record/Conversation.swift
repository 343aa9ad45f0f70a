// SPDX-License-Identifier: Apache-2.0

/// The two ends between which packets go to and fro: the same of both directions.
///
/// Of protocols without ports, and of ICMP, whose type and code differ between request and answer, the ends are the
/// addresses.
package struct Conversation: Sendable {
  /// The same with every start.
  package let hash: UInt64

  /// The conversation of a Flow, as it is observed.
  package init(_ key: borrowing FlowKey) {
    self.init(key.protocol, key.source, key.sourcePort, key.destination, key.destinationPort)
  }

  /// The conversation of a connection between the hosts themselves: its packets behind the translation of their
  /// destination and ahead of that of their source, as rules see them that forward.
  package init(_ connection: borrowing Connection) {
    let (original, translated) = (connection.original, connection.translated)
    self.init(
      connection.protocol, original.source, original.sourcePort, translated.destination, translated.destinationPort)
  }

  private init(
    _ number: IPProtocol, _ source: IPAddress, _ sourcePort: UInt16, _ destination: IPAddress, _ destinationPort: UInt16
  ) {
    let (first, second) = number.hasPorts ? (sourcePort, destinationPort) : (0, 0)
    // The sum of both ends' hashes does not know their order.
    hash = Self.mix(Self.hash(source, first) &+ Self.hash(destination, second) &+ UInt64(number.rawValue))
  }

  private static func hash(_ address: IPAddress, _ port: UInt16) -> UInt64 {
    mix(mix(mix(address.high) ^ address.low) ^ UInt64(port))
  }

  private static func mix(_ word: UInt64) -> UInt64 {
    var generator = SplitMix64(state: word)
    return generator.next()
  }
}
