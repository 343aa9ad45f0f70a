// SPDX-License-Identifier: Apache-2.0

/// An Internet protocol number (IANA "Assigned Internet Protocol Numbers", IE 4 protocolIdentifier).
public struct IPProtocol: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let hopByHop = IPProtocol(rawValue: 0)
  public static let icmp = IPProtocol(rawValue: 1)
  public static let igmp = IPProtocol(rawValue: 2)
  public static let tcp = IPProtocol(rawValue: 6)
  public static let udp = IPProtocol(rawValue: 17)
  public static let dccp = IPProtocol(rawValue: 33)
  public static let routing = IPProtocol(rawValue: 43)
  public static let fragment = IPProtocol(rawValue: 44)
  public static let esp = IPProtocol(rawValue: 50)
  public static let ah = IPProtocol(rawValue: 51)
  public static let icmpv6 = IPProtocol(rawValue: 58)
  public static let noNextHeader = IPProtocol(rawValue: 59)
  public static let destinationOptions = IPProtocol(rawValue: 60)
  public static let sctp = IPProtocol(rawValue: 132)
  public static let mobility = IPProtocol(rawValue: 135)
  public static let udpLite = IPProtocol(rawValue: 136)
  public static let hip = IPProtocol(rawValue: 139)
  public static let shim6 = IPProtocol(rawValue: 140)
}

/// What makes two packets members of one Flow (RFC 7011 section 2, Flow Key).
///
/// The properties of the packets that ipt_NETFLOW keys by: addresses, ports, protocol, class of service, input
/// interface and VLAN tags. 48 octets without padding.
public struct FlowKey: Hashable, Sendable {
  public var source: IPAddress
  public var destination: IPAddress
  /// The source port; for AH and ESP the high half of the Security Parameter Index; else 0.
  public var sourcePort: UInt16
  /// The destination port; for ICMP and ICMPv6 type × 256 + code; for IGMP the type; for AH and ESP the low half of
  /// the Security Parameter Index; else 0.
  public var destinationPort: UInt16
  public var `protocol`: IPProtocol
  /// The IPv4 TOS or IPv6 Traffic Class octet (IE 5).
  public var classOfService: UInt8
  public var version: IPVersion
  private var unused: UInt8
  /// The ifIndex of the interface that the packet came in by (IE 10); 0 where it is not known.
  public var ingressInterface: UInt32
  /// The outermost VLAN tag's control information (priority, DEI, VLAN id); 0 where there is none.
  public var outerTag: UInt16
  /// The second VLAN tag's control information; 0 where there is none.
  public var innerTag: UInt16

  public init() {
    (source, destination) = (IPAddress(), IPAddress())
    (sourcePort, destinationPort) = (0, 0)
    (`protocol`, classOfService, version, unused) = (.hopByHop, 0, .v4, 0)
    (ingressInterface, outerTag, innerTag) = (0, 0, 0)
  }
}

extension FlowKey {
  /// Ports, protocol, class of service and version as one word: what the table compares and the hash folds.
  var transportWord: UInt64 {
    get {
      UInt64(sourcePort) | UInt64(destinationPort) << 16 | UInt64(`protocol`.rawValue) << 32
        | UInt64(classOfService) << 40 | UInt64(version.rawValue) << 48
    }
    set {
      sourcePort = UInt16(truncatingIfNeeded: newValue)
      destinationPort = UInt16(truncatingIfNeeded: newValue >> 16)
      `protocol` = IPProtocol(rawValue: UInt8(truncatingIfNeeded: newValue >> 32))
      classOfService = UInt8(truncatingIfNeeded: newValue >> 40)
      version = IPVersion(rawValue: UInt8(truncatingIfNeeded: newValue >> 48))
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
