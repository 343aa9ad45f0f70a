// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter
@testable import FlowNetfilter

@Suite("Messages of conntrack")
struct ConntrackMessageTests {
  private static func messages(_ octets: [UInt8]) -> [(kind: ConntrackMessage.Kind?, told: ConntrackMessage?)] {
    var messages: [(ConntrackMessage.Kind?, ConntrackMessage?)] = []
    forEachMessage(octets) { bytes, message in
      let start = min(message.payload.lowerBound + NetlinkMessage.netfilterHeaderLength, message.payload.upperBound)
      messages.append(
        (
          ConntrackMessage.kind(message),
          ConntrackMessage(bytes, attributes: start..<message.payload.upperBound)
        ))
    }
    return messages
  }

  private func told(_ name: String) throws -> ConntrackMessage {
    try #require(Self.messages(RecordedMessage.conntrack(name).octets).first?.told)
  }

  /// The connection in the words of conntrack(8).
  private static func words(_ message: ConntrackMessage) -> [String] {
    let connection = message.connection
    let isEcho = [.icmp, .icmpv6].contains(connection.protocol)
    func words(_ tuple: ConnectionTuple, _ packets: UInt64?, _ octets: UInt64?) -> [String] {
      var words = ["src=" + tuple.source.text(connection.version), "dst=" + tuple.destination.text(connection.version)]
      if connection.protocol.hasPorts { words += ["sport=\(tuple.sourcePort)", "dport=\(tuple.destinationPort)"] }
      if isEcho { words.append("id=\(tuple.sourcePort)") }
      if let packets, let octets { words += ["packets=\(packets)", "bytes=\(octets)"] }
      return words
    }
    var reply = connection.translated.inverse
    if isEcho { reply.sourcePort = connection.translated.sourcePort }
    let traffic = message.traffic
    return words(connection.original, traffic?.initiatorPackets, traffic?.initiatorOctets)
      + words(reply, traffic?.responderPackets, traffic?.responderOctets) + ["id=\(connection.id)"]
  }

  /// The same words of a line that conntrack(8) printed.
  private static func words(_ line: String) -> [String] {
    line.split(separator: " ").map(String.init).filter { word in
      ["src=", "dst=", "sport=", "dport=", "packets=", "bytes=", "id="].contains { word.hasPrefix($0) }
    }
  }

  @Test(
    "connections, counters and identifiers are what conntrack(8) printed; of one that is not translated nothing is read",
    arguments: RecordedMessage.conntrack.filter { $0.witness.count == 1 })
  func events(_ recorded: RecordedMessage) throws {
    let messages = Self.messages(recorded.octets)
    #expect(messages.count == 1)
    #expect(messages.first?.kind == (recorded.name.hasPrefix("new: ") ? .new : .destroy))
    let told = messages.first?.told
    if recorded.name.hasSuffix("not translated") {
      #expect(told == nil)
    } else {
      #expect(try Self.words(#require(told)) == Self.words(recorded.witness[0]))
    }
  }

  @Test("a listing has the connections that conntrack(8) listed", arguments: ["listing, IPv4", "listing, IPv6"])
  func listing(name: String) {
    let recorded = RecordedMessage.conntrack(name)
    let messages = Self.messages(recorded.octets)
    #expect(messages.count == recorded.witness.count)
    #expect(messages.allSatisfy { $0.kind == .new })
    let translated = recorded.witness.filter { !$0.contains("dport=9009") }
    #expect(Set(messages.compactMap(\.told).map(Self.words)) == Set(translated.map(Self.words)))
    // The end of a listing is no connection.
    let end = Self.messages(RecordedMessage.conntrack(name.replacing(", ", with: "'s end, ")).octets)
    #expect(end.count == 1)
    #expect(end.allSatisfy { $0.kind == nil && $0.told == nil })
  }

  @Test("a connection whose source is translated")
  func source() throws {
    let connection = try told("new: UDP over IPv4, source translated").connection
    #expect(
      connection
        == Connection(
          original: ConnectionTuple(
            source: address("10.1.0.2"), destination: address("198.51.100.2"), sourcePort: 40001, destinationPort: 53),
          translated: ConnectionTuple(
            source: address("203.0.113.7"), destination: address("198.51.100.2"), sourcePort: 1053,
            destinationPort: 53),
          version: .v4, protocol: .udp, id: 4_082_618_427))
  }

  @Test("a connection whose source and destination are translated")
  func both() throws {
    let connection = try told("new: TCP over IPv4, both translated").connection
    #expect(
      connection.original
        == ConnectionTuple(
          source: address("10.1.0.2"), destination: address("203.0.113.81"), sourcePort: 40003, destinationPort: 8081))
    #expect(
      connection.translated
        == ConnectionTuple(
          source: address("203.0.113.7"), destination: address("198.51.100.2"), sourcePort: 50000, destinationPort: 80))
    #expect(connection.protocol == .tcp)
  }

  @Test("IPv6 has its version and whole addresses")
  func ipv6() throws {
    let connection = try told("new: TCP over IPv6, destination translated").connection
    #expect(connection.version == .v6)
    #expect(connection.original.destination == address("2001:db8:9::80"))
    #expect(connection.original.destinationPort == 8080)
    #expect(connection.translated.source == address("2001:db8:1::2"))
    #expect(connection.translated.destination == address("2001:db8:2::2"))
    #expect(connection.translated.destinationPort == 80)
  }

  @Test(
    "the translated identifier of an echo is the source port of what it becomes",
    arguments: [
      ("new: ICMP, source translated", 77), ("new: ICMP, source and identifier translated", 38888),
      ("new: ICMPv6, source translated", 77), ("new: ICMPv6, source and identifier translated", 37356),
    ] as [(String, UInt16)])
  func echo(name: String, translated: UInt16) throws {
    let connection = try told(name).connection
    #expect([connection.original.sourcePort, connection.original.destinationPort] == [77, 0])
    #expect([connection.translated.sourcePort, connection.translated.destinationPort] == [translated, 0])
  }

  @Test("where conntrack counts, a connection that ends has its packets and octets, else none")
  func traffic() throws {
    let counted = try #require(try told("destroy: TCP over IPv4, both translated").traffic)
    #expect([counted.initiatorPackets, counted.initiatorOctets] == [5, 278])
    #expect([counted.responderPackets, counted.responderOctets] == [5, 282])
    let silent = try #require(try told("destroy: protocol 253, source translated").traffic)
    #expect([silent.initiatorPackets, silent.initiatorOctets] == [1, 33])
    #expect([silent.responderPackets, silent.responderOctets] == [0, 0])
    #expect(try told("destroy: TCP over IPv4, destination translated, neither counted nor stamped").traffic == nil)
    #expect(try told("new: TCP over IPv4, both translated").traffic == nil)
  }

  @Test("where conntrack stamps, a connection that ends has its beginning and its end")
  func stamps() throws {
    // conntrack(8) printed [start=Sat Nov 21 18:42:22 2026] [stop=Sat Nov 21 18:42:26 2026]: seconds, UTC.
    let ended = try told("destroy: UDP over IPv4, source translated")
    #expect(ended.start == Timestamp(milliseconds: 1_795_286_542_171))
    #expect(ended.stop == Timestamp(milliseconds: 1_795_286_546_610))
    let unstamped = try told("destroy: UDP over IPv4, source translated, neither counted nor stamped")
    #expect(unstamped.start == nil)
    #expect(unstamped.stop == nil)
  }

  @Test("where conntrack stamps, a connection that begins has the time of the event for its beginning")
  func eventStamp() throws {
    // conntrack(8) received it at [1795286542.173062].
    #expect(
      try told("new: UDP over IPv4, source translated").start == Timestamp(milliseconds: 1_795_286_542_171))
    #expect(try told("new: UDP over IPv4, source translated, neither counted nor stamped").start == nil)
  }

  @Test("the reply's tuple may stand before the original's")
  func order() throws {
    let octets = RecordedMessage.conntrack("new: UDP over IPv4, source translated").octets
    // Headers of 20 octets, then both tuples of 52.
    let turned = Array(octets[..<20] + octets[72..<124] + octets[20..<72] + octets[124...])
    #expect(
      try #require(Self.messages(turned).first?.told).connection
        == told("new: UDP over IPv4, source translated").connection)
    let plain = RecordedMessage.conntrack("new: UDP over IPv4, not translated").octets
    let turnedPlain = Array(plain[..<20] + plain[72..<124] + plain[20..<72] + plain[124...])
    #expect(Self.messages(turnedPlain).first?.told == nil)
  }

  @Test("without a tuple, an address or a protocol there is no connection")
  func incomplete() {
    let octets = RecordedMessage.conntrack("new: UDP over IPv4, source translated").octets
    // The type of each attribute that is needed, made into one that is not known: 0x3f.
    for (place, what) in [
      (22, "original"), (74, "reply"), (26, "addresses"), (30, "source"), (38, "destination"), (46, "protocol"),
      (50, "protocol's number"), (78, "reply's addresses"), (102, "reply's protocol number"),
    ] {
      var damaged = octets
      damaged[place] = 0x3f
      #expect(Self.messages(damaged).first?.told == nil, "without the \(what)")
    }
  }

  @Test("messages of other subsystems and kinds tell of no connection")
  func others() {
    func kind(_ type: UInt16) -> ConntrackMessage.Kind? { Self.messages(message(type, [2, 0, 0, 0])).first?.kind }
    #expect(kind(0x0100) == .new)
    #expect(kind(0x0102) == .destroy)
    // IPCTNL_MSG_CT_GET; an expectation; a logged packet; NLMSG_ERROR; NLMSG_DONE.
    for type in [0x0101, 0x0200, 0x0400, 0x0002, 0x0003] as [UInt16] { #expect(kind(type) == nil) }
  }

  @Test(
    "a message cut anywhere, or with any octet another, is read within its bounds",
    arguments: RecordedMessage.conntrack)
  func hostile(_ recorded: RecordedMessage) {
    let most = recorded.witness.count + 1
    forEachDamage(recorded.octets) { octets in #expect(Self.messages(octets).count <= most + octets.count / 16) }
  }
}
