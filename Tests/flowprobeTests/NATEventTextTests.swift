// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import flowprobe

@Suite("NAT events as lines")
struct NATEventTextTests {
  private func line(
    _ kind: NATEvent.Kind, _ number: IPProtocol, _ original: (String, UInt16, String, UInt16),
    _ translated: (String, UInt16, String, UInt16), traffic: ConnectionTraffic? = nil
  ) -> String {
    func tuple(_ ends: (String, UInt16, String, UInt16)) -> ConnectionTuple {
      ConnectionTuple(
        source: IPAddress.parse(ends.0)!.address, destination: IPAddress.parse(ends.2)!.address, sourcePort: ends.1,
        destinationPort: ends.3)
    }
    let connection = Connection(
      original: tuple(original), translated: tuple(translated), version: IPAddress.parse(original.0)!.version,
      protocol: number, id: 1)
    return NATEventText.line(
      NATEvent(kind, connection, at: Timestamp(milliseconds: 1_700_000_001_789), traffic: traffic))
  }

  @Test("a line has the time, the event, and the ends before and behind the translation")
  func create() {
    #expect(
      line(.create, .udp, ("10.0.0.2", 1000, "198.51.100.2", 53), ("203.0.113.1", 2000, "198.51.100.2", 53))
        == "2023-11-14 22:13:21.789  NAT44 create  UDP  10.0.0.2:1000 > 198.51.100.2:53  becomes"
        + "  203.0.113.1:2000 > 198.51.100.2:53")
  }

  @Test("of an end stands what the connection carried, that of the original direction first")
  func delete() {
    var traffic = ConnectionTraffic()
    (traffic.initiatorPackets, traffic.initiatorOctets) = (5, 400)
    (traffic.responderPackets, traffic.responderOctets) = (4, 300)
    #expect(
      line(
        .delete, .tcp, ("2001:db8::1", 1000, "2001:db8::2", 443), ("2001:db8::9", 2000, "2001:db8::2", 443),
        traffic: traffic)
        == "2023-11-14 22:13:21.789  NAT66 delete  TCP  [2001:db8::1]:1000 > [2001:db8::2]:443  becomes"
        + "  [2001:db8::9]:2000 > [2001:db8::2]:443  5/4 packets, 400/300 octets")
  }

  @Test("ICMP has its identifier, other protocols without ports have none")
  func withoutPorts() {
    #expect(
      line(.create, .icmp, ("10.0.0.2", 77, "198.51.100.2", 0), ("203.0.113.1", 5000, "198.51.100.2", 0))
        == "2023-11-14 22:13:21.789  NAT44 create  ICMP  10.0.0.2 > 198.51.100.2 id 77  becomes"
        + "  203.0.113.1 > 198.51.100.2 id 5000")
    #expect(
      line(
        .create, IPProtocol(rawValue: 47), ("10.0.0.2", 0, "198.51.100.2", 0), ("203.0.113.1", 0, "198.51.100.2", 0))
        == "2023-11-14 22:13:21.789  NAT44 create  47  10.0.0.2 > 198.51.100.2  becomes  203.0.113.1 > 198.51.100.2")
  }
}
