// SPDX-License-Identifier: Apache-2.0

/// What a source may know of a packet beside its bytes and few users want; a Flow has its first packet's.
///
/// 32 octets, which the table keeps apart from the Flow: a Flow whose first packet has no detail costs neither memory
/// nor time for it.
public struct PacketDetail: Hashable, Sendable {
  /// The ifIndex of the port of a bridge or a bond that the packet came in by (IE 252); 0 where there is none.
  public var ingressPhysicalInterface: UInt32 = 0
  /// The ifIndex of the port that the packet leaves by (IE 253); 0 where there is none.
  public var egressPhysicalInterface: UInt32 = 0
  /// IE 56; zero where it is not known.
  public var sourceMACAddress = MACAddress()
  /// IE 80; zero where it is not known.
  public var destinationMACAddress = MACAddress()
  /// Netfilter's mark of the packet; 0 where it has none.
  public var mark: UInt32 = 0
  @usableFromInline var user: UInt32 = 0
  /// 0 or 1, in 32 bits: the structure has no padding.
  @usableFromInline var hasUser: UInt32 = 0

  @inlinable public init() {}

  /// Who owns the socket that sent the packet; nil where it is not known: of forwarded and received packets.
  @inlinable
  public var userID: UInt32? {
    get { hasUser == 0 ? nil : user }
    set { (user, hasUser) = (newValue ?? 0, newValue == nil ? 0 : 1) }
  }

  /// Nothing is known.
  @inlinable
  public var isEmpty: Bool {
    ingressPhysicalInterface | egressPhysicalInterface | mark | hasUser == 0 && sourceMACAddress.isZero
      && destinationMACAddress.isZero
  }
}

/// Which details a source records: those that an operator has to ask for. Default: none.
public struct RecordedDetails: Hashable, Sendable {
  /// ``PacketDetail/sourceMACAddress`` and ``PacketDetail/destinationMACAddress``.
  public var hardwareAddresses = false
  /// ``PacketDetail/mark``. In IPFIX it is an element of the netfilter project's, and collectors that drop a template
  /// for an element of an enterprise, as Logstash does, then miss the marked flows; NetFlow v9 leaves it out.
  public var mark = false
  /// ``PacketDetail/userID``.
  public var userID = false

  public init(hardwareAddresses: Bool = false, mark: Bool = false, userID: Bool = false) {
    (self.hardwareAddresses, self.mark, self.userID) = (hardwareAddresses, mark, userID)
  }
}
