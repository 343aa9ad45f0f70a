// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowNetfilter

@Suite("Messages of rtnetlink about interfaces")
struct LinkMessageTests {
  static let names = ["uplink0", "enp1s0"]
  static let v0 = NetworkInterface(index: 3, name: "v0", alias: "uplink to provider", alternativeNames: names)

  private func messages(_ octets: [UInt8]) -> [LinkMessage] {
    var (cursor, messages) = (NetlinkCursor(0..<octets.count), [LinkMessage]())
    while let message = unsafe cursor.nextMessage(in: octets.span.bytes) {
      if let message = unsafe LinkMessage(message, in: octets.span.bytes) { messages.append(message) }
    }
    return messages
  }

  @Test("an interface has its index, name, alias and alternative names")
  func present() {
    #expect(
      messages(LinkDatagrams.dump) == [
        .present(NetworkInterface(index: 1, name: "lo")), .present(NetworkInterface(index: 2, name: "v1")),
        .present(Self.v0),
      ])
    #expect(messages(LinkDatagrams.added) == [.present(NetworkInterface(index: 4, name: "br0"))])
  }

  @Test("an interface that is deleted is gone, and so is its peer")
  func gone() { #expect(messages(LinkDatagrams.deleted) == [.gone(index: 3), .gone(index: 2)]) }

  @Test("a port that leaves a bridge is no interface that goes")
  func bridgePort() { #expect(messages(LinkDatagrams.leftBridge) == []) }

  @Test("a wireless driver's event, which has a name but no alias, says nothing")
  func wireless() {
    // Its transmit queue's length (13) made into IFLA_WIRELESS (11).
    var octets = LinkDatagrams.renamed
    let place = octets.indices.first { octets[$0...].starts(with: [8, 0, 13, 0]) }!
    octets[place + 2] = 11
    #expect(messages(LinkDatagrams.renamed).count == 1)
    #expect(messages(octets) == [])
  }

  @Test("neither the end of a dump nor a message without index or name says anything")
  func others() {
    #expect(messages(LinkDatagrams.done) == [])
    let named = LinkDatagrams.added
    #expect(messages(Array(named[..<20] + [0, 0, 0, 0] + named[24...])) == [])
    #expect(messages([32, 0, 0, 0] + named[4..<32]) == [])
  }

  @Test("a text without an end, or with octets that are no UTF-8, is taken as far as it goes")
  func texts() {
    // The name "br0" and its zero become "br" and 0xff, and "br01".
    func renamed(_ name: [UInt8]) -> [UInt8] {
      Array(LinkDatagrams.added[..<36] + name + LinkDatagrams.added[40...])
    }
    #expect(messages(renamed(Array("br01".utf8))) == [.present(NetworkInterface(index: 4, name: "br01"))])
    #expect(
      messages(renamed(Array("br".utf8) + [0xff, 0])) == [.present(NetworkInterface(index: 4, name: "br\u{fffd}"))])
    #expect(messages(renamed([0, 0x62, 0x72, 0])) == [])
  }

  @Test("a datagram cut anywhere, or with any octet another, is read within its bounds")
  func hostile() {
    let everything = LinkDatagrams.dump + LinkDatagrams.deleted + LinkDatagrams.done
    for count in 0...everything.count { #expect(messages(Array(everything[..<count])).count <= 5) }
    for place in everything.indices {
      for octet in [0, 1, 3, 5, 0x7f, 0xff] as [UInt8] {
        var octets = everything
        octets[place] = octet
        #expect(messages(octets).count <= 6)
      }
    }
  }

  @Test("a message that ends early has the attributes that are whole")
  func shorter() {
    let whole = Array(LinkDatagrams.dump[152...])
    let found = (16...whole.count).map { messages([UInt8($0), 0, 0, 0] + whole[4..<$0]).first }
    let name = NetworkInterface(index: 3, name: "v0")
    let alias = NetworkInterface(index: 3, name: "v0", alias: "uplink to provider")
    // By the message's length: the name's end, the alias', the property list's.
    #expect(found[..<(39 - 16)].allSatisfy { $0 == nil })
    #expect(found[(39 - 16)..<(87 - 16)].allSatisfy { $0 == .present(name) })
    #expect(found[(87 - 16)..<(128 - 16)].allSatisfy { $0 == .present(alias) })
    #expect(found.last == .present(Self.v0))
  }
}
