// SPDX-License-Identifier: Apache-2.0

/// An Internet protocol number (IANA "Assigned Internet Protocol Numbers", IE 4 protocolIdentifier).
///
/// Inlinable: exporters look at it with every record.
public struct IPProtocol: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var hopByHop: IPProtocol { IPProtocol(rawValue: 0) }
  @inlinable public static var icmp: IPProtocol { IPProtocol(rawValue: 1) }
  @inlinable public static var igmp: IPProtocol { IPProtocol(rawValue: 2) }
  @inlinable public static var tcp: IPProtocol { IPProtocol(rawValue: 6) }
  @inlinable public static var udp: IPProtocol { IPProtocol(rawValue: 17) }
  @inlinable public static var dccp: IPProtocol { IPProtocol(rawValue: 33) }
  @inlinable public static var routing: IPProtocol { IPProtocol(rawValue: 43) }
  @inlinable public static var fragment: IPProtocol { IPProtocol(rawValue: 44) }
  @inlinable public static var esp: IPProtocol { IPProtocol(rawValue: 50) }
  @inlinable public static var ah: IPProtocol { IPProtocol(rawValue: 51) }
  @inlinable public static var icmpv6: IPProtocol { IPProtocol(rawValue: 58) }
  @inlinable public static var noNextHeader: IPProtocol { IPProtocol(rawValue: 59) }
  @inlinable public static var destinationOptions: IPProtocol { IPProtocol(rawValue: 60) }
  @inlinable public static var sctp: IPProtocol { IPProtocol(rawValue: 132) }
  @inlinable public static var mobility: IPProtocol { IPProtocol(rawValue: 135) }
  @inlinable public static var udpLite: IPProtocol { IPProtocol(rawValue: 136) }
  @inlinable public static var hip: IPProtocol { IPProtocol(rawValue: 139) }
  @inlinable public static var shim6: IPProtocol { IPProtocol(rawValue: 140) }
}

/// What makes two packets members of one Flow (RFC 7011 section 2, Flow Key).
///
/// The properties of the packets that ipt_NETFLOW keys by: addresses, ports, protocol, class of service, input
/// interface and VLAN tags; and MPLS labels, where they are recorded: the key has their number, they themselves stand
/// beside it (``MPLSLabelStack``). 48 octets without padding.
public struct FlowKey: Hashable, Sendable {
  /// IE 8 or 27.
  public var source: IPAddress
  /// IE 12 or 28.
  public var destination: IPAddress
  /// The source port; for AH and ESP the high half of the Security Parameter Index; else 0.
  public var sourcePort: UInt16
  /// The destination port; for ICMP and ICMPv6 type × 256 + code; for IGMP the type; for AH and ESP the low half of
  /// the Security Parameter Index; else 0.
  public var destinationPort: UInt16
  /// IE 4.
  public var `protocol`: IPProtocol
  /// The IPv4 TOS or IPv6 Traffic Class octet (IE 5).
  public var classOfService: UInt8
  /// IE 60; tells how to read the addresses.
  public var version: IPVersion
  /// How many entries of an MPLS label stack are recorded; 0 where there is none.
  public var recordedLabels: UInt8
  /// The ifIndex of the interface that the packet came in by (IE 10); 0 where it is not known.
  public var ingressInterface: UInt32
  /// The outermost VLAN tag's control information (priority, DEI, VLAN id); 0 where there is none.
  public var outerTag: UInt16
  /// The second VLAN tag's control information; 0 where there is none.
  public var innerTag: UInt16

  public init() {
    (source, destination) = (IPAddress(), IPAddress())
    (sourcePort, destinationPort) = (0, 0)
    (`protocol`, classOfService, version, recordedLabels) = (.hopByHop, 0, .v4, 0)
    (ingressInterface, outerTag, innerTag) = (0, 0, 0)
  }
}

extension FlowKey {
  /// Ports, protocol, class of service, version and number of labels as one word: what the table compares and the hash
  /// folds.
  var transportWord: UInt64 {
    get {
      UInt64(sourcePort) | UInt64(destinationPort) << 16 | UInt64(`protocol`.rawValue) << 32
        | UInt64(classOfService) << 40 | UInt64(version.rawValue) << 48 | UInt64(recordedLabels) << 56
    }
    set {
      sourcePort = UInt16(truncatingIfNeeded: newValue)
      destinationPort = UInt16(truncatingIfNeeded: newValue >> 16)
      `protocol` = IPProtocol(rawValue: UInt8(truncatingIfNeeded: newValue >> 32))
      classOfService = UInt8(truncatingIfNeeded: newValue >> 40)
      version = IPVersion(rawValue: UInt8(truncatingIfNeeded: newValue >> 48))
      recordedLabels = UInt8(truncatingIfNeeded: newValue >> 56)
    }
  }

  /// What decides how a key is hashed, compared and kept.
  enum Form {
    /// Of this version, without labels.
    case ipv4, ipv6
    case labelled

    /// Of a key with this transport word: one look at version and number of labels.
    @inline(__always)
    init(transportWord: UInt64) {
      self =
        switch transportWord >> 48 {
        case UInt64(IPVersion.v4.rawValue): .ipv4
        case UInt64(IPVersion.v6.rawValue): .ipv6
        default: .labelled
        }
    }
  }

  /// Interface and VLAN tags as one word.
  var linkWord: UInt64 {
    get { UInt64(ingressInterface) | UInt64(outerTag) << 32 | UInt64(innerTag) << 48 }
    set {
      ingressInterface = UInt32(truncatingIfNeeded: newValue)
      outerTag = UInt16(truncatingIfNeeded: newValue >> 32)
      innerTag = UInt16(truncatingIfNeeded: newValue >> 48)
    }
  }

  /// Both IPv4 addresses as one word.
  var ipv4Word: UInt64 {
    get { UInt64(source.ipv4.storage) | UInt64(destination.ipv4.storage) << 32 }
    set {
      source = IPAddress(IPv4Octets(storage: UInt32(truncatingIfNeeded: newValue)))
      destination = IPAddress(IPv4Octets(storage: UInt32(truncatingIfNeeded: newValue >> 32)))
    }
  }
}
