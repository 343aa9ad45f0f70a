// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What people call a Flow's protocol and its two ends.
enum FlowText {
  static func source(_ key: FlowKey) -> String {
    key.protocol.hasPorts ? endpoint(key.source, key.sourcePort, key.version) : key.source.text(key.version)
  }

  static func destination(_ key: FlowKey) -> String {
    if key.protocol.hasPorts { return endpoint(key.destination, key.destinationPort, key.version) }
    let text = key.destination.text(key.version)
    guard [.icmp, .icmpv6].contains(key.protocol) else { return text }
    // Type and code stand in the destination port.
    return "\(text) \(key.destinationPort >> 8)/\(key.destinationPort & 0xff)"
  }

  static func endpoint(_ address: IPAddress, _ port: UInt16, _ version: IPVersion) -> String {
    let text = address.text(version)
    return version == .v4 ? "\(text):\(port)" : "[\(text)]:\(port)"
  }

  static func name(_ number: IPProtocol) -> String {
    switch number {
    case .tcp: "TCP"
    case .udp: "UDP"
    case .icmp: "ICMP"
    case .icmpv6: "ICMP6"
    case .igmp: "IGMP"
    case .sctp: "SCTP"
    case .dccp: "DCCP"
    case .udpLite: "UDPL"
    case .esp: "ESP"
    case .ah: "AH"
    default: "\(number.rawValue)"
    }
  }
}
