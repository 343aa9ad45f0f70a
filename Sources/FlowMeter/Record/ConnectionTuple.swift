// SPDX-License-Identifier: Apache-2.0

/// Where the packets of one direction of a connection come from and go to, as conntrack keeps it.
public struct ConnectionTuple: Hashable, Sendable {
  /// Where the packets come from.
  public var source: IPAddress
  /// Where the packets go to.
  public var destination: IPAddress
  /// The source port; of ICMP and ICMPv6 the identifier, of GRE the key; of other protocols without ports 0.
  public var sourcePort: UInt16
  /// The destination port; of GRE the key of the other direction; of other protocols without ports 0.
  public var destinationPort: UInt16

  public init(
    source: IPAddress = IPAddress(), destination: IPAddress = IPAddress(), sourcePort: UInt16 = 0,
    destinationPort: UInt16 = 0
  ) {
    (self.source, self.destination) = (source, destination)
    (self.sourcePort, self.destinationPort) = (sourcePort, destinationPort)
  }

  /// The other direction of what was not translated.
  public var inverse: ConnectionTuple {
    ConnectionTuple(
      source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort)
  }
}

/// A connection as conntrack tells of it.
public struct Connection: Hashable, Sendable {
  /// The packets of the original direction when they arrive.
  public var original: ConnectionTuple
  /// The same packets after all translations: conntrack's reply tuple the other way round.
  public var translated: ConnectionTuple
  /// Of all its addresses.
  public var version: IPVersion
  /// Of its packets (IE 4).
  public var `protocol`: IPProtocol
  /// Tells a connection from a later one between the same ends.
  public var id: UInt32

  public init(
    original: ConnectionTuple, translated: ConnectionTuple, version: IPVersion, protocol: IPProtocol, id: UInt32
  ) {
    (self.original, self.translated) = (original, translated)
    (self.version, self.protocol, self.id) = (version, `protocol`, id)
  }

  /// Whether any address or port is another behind the translations.
  public var isTranslated: Bool { original != translated }
}
