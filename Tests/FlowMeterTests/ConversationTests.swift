// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Conversations")
struct ConversationTests {
  private func key(
    _ number: IPProtocol, _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16
  ) -> FlowKey {
    var key = FlowKey()
    let parsed = IPAddress.parse(source)!
    (key.source, key.version, key.protocol) = (parsed.address, parsed.version, number)
    key.destination = IPAddress.parse(destination)!.address
    (key.sourcePort, key.destinationPort) = (sourcePort, destinationPort)
    return key
  }

  private func hash(
    _ number: IPProtocol, _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16
  ) -> UInt64 {
    Conversation(key(number, source, sourcePort, destination, destinationPort)).hash
  }

  @Test("both directions are one conversation, and what differs in address, port or protocol is another")
  func directions() {
    for (a, b) in [("192.0.2.1", "198.51.100.2"), ("2001:db8::1", "2001:db8::2")] {
      let one = hash(.tcp, a, 4000, b, 80)
      #expect(one == hash(.tcp, b, 80, a, 4000))
      for other in [
        hash(.tcp, a, 80, b, 4000), hash(.tcp, a, 4001, b, 80), hash(.udp, a, 4000, b, 80), hash(.tcp, a, 4000, a, 80),
      ] {
        #expect(one != other)
      }
    }
    #expect(hash(.tcp, "2001:db8::1", 1, "2001:db8::2", 2) != hash(.tcp, "2001:db8:0:1::1", 1, "2001:db8::2", 2))
  }

  @Test("request and answer of ICMP, and both SPIs between two hosts, are one conversation")
  func withoutPorts() {
    #expect(hash(.icmp, "192.0.2.1", 0, "192.0.2.2", 0x0800) == hash(.icmp, "192.0.2.2", 0, "192.0.2.1", 0))
    #expect(hash(.esp, "192.0.2.1", 1, "192.0.2.2", 2) == hash(.esp, "192.0.2.2", 3, "192.0.2.1", 4))
  }

  @Test("a NAT event is of the conversation that the hosts themselves have, and so that rules see which forward")
  func translated() {
    func tuple(_ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16)
      -> ConnectionTuple
    {
      ConnectionTuple(
        source: IPAddress.parse(source)!.address, destination: IPAddress.parse(destination)!.address,
        sourcePort: sourcePort, destinationPort: destinationPort)
    }
    func hash(_ original: ConnectionTuple, _ translated: ConnectionTuple) -> UInt64 {
      Conversation(Connection(original: original, translated: translated, version: .v4, protocol: .tcp, id: 1)).hash
    }
    // Source, destination, both.
    #expect(
      hash(tuple("10.0.0.2", 1000, "198.51.100.2", 80), tuple("203.0.113.1", 2000, "198.51.100.2", 80))
        == self.hash(.tcp, "198.51.100.2", 80, "10.0.0.2", 1000))
    #expect(
      hash(tuple("192.0.2.7", 1000, "203.0.113.1", 8080), tuple("192.0.2.7", 1000, "10.0.0.3", 80))
        == self.hash(.tcp, "192.0.2.7", 1000, "10.0.0.3", 80))
    #expect(
      hash(tuple("10.0.0.2", 1000, "203.0.113.1", 8080), tuple("10.0.0.1", 3000, "10.0.0.3", 80))
        == self.hash(.tcp, "10.0.0.2", 1000, "10.0.0.3", 80))
  }

  @Test("a thousand conversations are spread over three about evenly, and the same with every start")
  func spread() {
    var counts = [0, 0, 0]
    for port in 1...1000 as ClosedRange<UInt16> {
      counts[Int(hash(.udp, "192.0.2.1", port, "192.0.2.2", 53) % 3)] += 1
    }
    #expect(counts.allSatisfy { (270...400).contains($0) }, "\(counts)")
    #expect(hash(.tcp, "192.0.2.1", 4000, "198.51.100.2", 80) == 12_245_968_639_025_343_479)
  }
}
