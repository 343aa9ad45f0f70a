// SPDX-License-Identifier: Apache-2.0

/// Why a packet was not metered. Each case is counted by itself.
public enum DecodeFailure: UInt8, Error, CaseIterable, Sendable {
  /// The frame carries no IPv4 and no IPv6 packet (ARP, LLDP, spanning tree…). Not an error of anybody's.
  case notIP
  /// The capture ends within a link, VLAN, MPLS or PPPoE header.
  case linkHeaderTruncated
  /// The capture ends within the IPv4 header's fixed part.
  case ipv4HeaderTruncated
  /// IPv4: an Internet Header Length below 5 words.
  case ipv4HeaderLength
  /// IPv4: a Total Length below the header's own length.
  case ipv4TotalLength
  /// The capture ends within the fixed IPv6 header.
  case ipv6HeaderTruncated
  /// The version in the IP header is not the one that the link header announces.
  case ipVersion

  /// The reason in words, for messages to the operator.
  public var text: String {
    switch self {
    case .notIP: "not IP"
    case .linkHeaderTruncated: "link header truncated"
    case .ipv4HeaderTruncated: "IPv4 header truncated"
    case .ipv4HeaderLength: "IPv4 header length below 20"
    case .ipv4TotalLength: "IPv4 total length below the header's"
    case .ipv6HeaderTruncated: "IPv6 header truncated"
    case .ipVersion: "IP version other than announced"
    }
  }
}

/// What was odd about a packet that was metered all the same. Each case is counted by itself.
public enum DecodeRemark: UInt8, CaseIterable, Sendable {
  /// The capture or the datagram ends before the transport header: the ports are reported as 0.
  case transportTruncated
  /// IPv6: the chain of extension headers breaks off, or is longer than any real one.
  case extensionHeadersTruncated
  /// The frame is shorter than its IP length says (a slicing tap, or a lie); the IP length is what counts.
  case frameShorterThanPacket

  /// The remark in words, for messages to the operator.
  public var text: String {
    switch self {
    case .transportTruncated: "transport header truncated"
    case .extensionHeadersTruncated: "IPv6 extension headers truncated"
    case .frameShorterThanPacket: "frame shorter than its IP length"
    }
  }
}
