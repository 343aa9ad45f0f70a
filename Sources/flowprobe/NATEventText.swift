// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// A NAT event as a line: what the first packet was when it came, and what it was when it left.
enum NATEventText {
  static func line(_ event: NATEvent) -> String {
    let connection = event.connection
    let time = String(event.time.iso8601.dropLast()).replacing("T", with: " ")
    let kind = "NAT\(connection.version == .v4 ? "44" : "66") \(event.kind == .create ? "create" : "delete")"
    let name = FlowText.name(connection.protocol)
    let ends = [connection.original, connection.translated].map { text($0, connection) }
    return "\(time)  \(kind)  \(name)  \(ends[0])  becomes  \(ends[1])\(traffic(event))"
  }

  private static func text(_ tuple: ConnectionTuple, _ connection: Connection) -> String {
    let (version, source, destination) = (connection.version, tuple.source, tuple.destination)
    switch connection.protocol {
    case .icmp, .icmpv6:
      return "\(source.text(version)) > \(destination.text(version)) id \(tuple.sourcePort)"
    case let number where number.hasPorts:
      return FlowText.endpoint(source, tuple.sourcePort, version) + " > "
        + FlowText.endpoint(destination, tuple.destinationPort, version)
    default: return "\(source.text(version)) > \(destination.text(version))"
    }
  }

  private static func traffic(_ event: NATEvent) -> String {
    guard let traffic = event.traffic else { return "" }
    return "  \(traffic.initiatorPackets)/\(traffic.responderPackets) packets,"
      + " \(traffic.initiatorOctets)/\(traffic.responderOctets) octets"
  }
}
