// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowNetfilter

@Suite("Interfaces that come, go and change")
struct KnownInterfacesTests {
  /// Names by index, as `index name`.
  private func names(_ known: KnownInterfaces) -> [String] {
    known.byIndex.values.sorted { $0.index < $1.index }.map { "\($0.index) \($0.name)" }
  }

  /// Interfaces after a dump.
  private func dumped() -> KnownInterfaces {
    var known = KnownInterfaces()
    known.beginDump(sequence: 1)
    known.take(LinkDatagrams.dump)
    known.take(LinkDatagrams.done)
    return known
  }

  @Test("a dump tells of all interfaces, in as many datagrams as it takes")
  func dump() {
    var known = KnownInterfaces()
    #expect(known.needsDump)
    known.beginDump(sequence: 1)
    #expect(known.isDumping)
    #expect(!known.needsDump)
    known.take(LinkDatagrams.dump[..<76])
    known.take(LinkDatagrams.dump[76...])
    #expect(known.isDumping)
    known.take(LinkDatagrams.done)
    #expect(!known.isDumping)
    #expect(!known.needsDump)
    #expect(names(known) == ["1 lo", "2 v1", "3 v0"])
  }

  @Test("notifications rename, add and remove")
  func notifications() {
    var known = dumped()
    known.take(LinkDatagrams.renamed)
    #expect(names(known) == ["1 lo", "2 v1", "3 w0"])
    #expect(known.byIndex[3]?.alias == "uplink to provider")
    known.take(LinkDatagrams.added)
    known.take(LinkDatagrams.leftBridge)
    #expect(names(known) == ["1 lo", "2 v1", "3 w0", "4 br0"])
    known.take(LinkDatagrams.deleted)
    #expect(names(known) == ["1 lo", "4 br0"])
  }

  @Test("what went while messages were lost is gone with the next dump, not before")
  func lost() {
    var known = dumped()
    known.take(LinkDatagrams.added)
    known.messagesWereLost()
    #expect(known.needsDump)
    #expect(names(known) == ["1 lo", "2 v1", "3 v0", "4 br0"])
    known.beginDump(sequence: 1)
    known.take(LinkDatagrams.dump[..<152])
    #expect(names(known).count == 4)
    known.take(LinkDatagrams.done)
    #expect(names(known) == ["1 lo", "2 v1"])
  }

  @Test("what is told of while a dump is under way holds, whether it came or went")
  func betweenPieces() {
    var known = KnownInterfaces()
    known.beginDump(sequence: 1)
    known.take(LinkDatagrams.dump)
    known.take(LinkDatagrams.added)
    known.take(LinkDatagrams.deleted)
    known.take(LinkDatagrams.done)
    #expect(names(known) == ["1 lo", "4 br0"])
  }

  @Test("a dump under which interfaces changed is to be repeated, and nothing is taken to be gone by it")
  func interrupted() {
    for place in [LinkDatagrams.flagsOffset, 76 + LinkDatagrams.flagsOffset] {
      var known = dumped()
      known.take(LinkDatagrams.added)
      known.beginDump(sequence: 1)
      known.take(LinkDatagrams.with(LinkDatagrams.interrupted, at: place, in: LinkDatagrams.dump))
      known.take(LinkDatagrams.done)
      #expect(known.needsDump)
      #expect(!known.isDumping)
      #expect(names(known) == ["1 lo", "2 v1", "3 v0", "4 br0"])
    }
    var known = dumped()
    known.beginDump(sequence: 1)
    known.take(LinkDatagrams.with(LinkDatagrams.interrupted, at: LinkDatagrams.flagsOffset, in: LinkDatagrams.done))
    #expect(known.needsDump)
  }

  @Test("messages lost while a dump is under way call for another after it")
  func lostBetweenPieces() {
    var known = KnownInterfaces()
    known.beginDump(sequence: 1)
    known.take(LinkDatagrams.dump)
    known.messagesWereLost()
    known.take(LinkDatagrams.done)
    #expect(known.needsDump)
    #expect(!known.isDumping)
    #expect(names(known) == ["1 lo", "2 v1", "3 v0"])
  }

  @Test("the end of another dump is not the end of this one")
  func otherSequence() {
    var known = KnownInterfaces()
    known.beginDump(sequence: 2)
    known.take(LinkDatagrams.done)
    #expect(known.isDumping)
    known.take(LinkDatagrams.with(3, at: LinkDatagrams.sequenceOffset, in: LinkDatagrams.done))
    #expect(known.isDumping)
    known.take(LinkDatagrams.done[..<8] + [2, 0, 0, 0] + LinkDatagrams.done[12...])
    #expect(!known.isDumping)
  }

  @Test("a refused dump is to be repeated, and its errno is known")
  func refused() {
    var known = KnownInterfaces()
    known.beginDump(sequence: 1)
    // NLMSG_ERROR with -EPERM, as the kernel answers; then the request's own header.
    known.take(LinkDatagrams.octets("2400000002000000010000009d6e0000 ffffffff 2800000012000103010000009d6e0000"))
    #expect(!known.isDumping)
    #expect(known.needsDump)
    #expect(known.refusal == 1)
    known.beginDump(sequence: 1)
    #expect(known.refusal == nil)
  }

  @Test("the speed is to be asked for whenever an interface is told of, and stays until then")
  func speed() {
    var known = dumped()
    #expect(known.takeToldOf().map(\.index).sorted() == [1, 2, 3])
    known.setSpeed(1000, of: 3)
    known.setSpeed(1000, of: 9)
    #expect(known.takeToldOf() == [])
    known.take(LinkDatagrams.renamed)
    #expect(known.byIndex[3]?.speed == 1000)
    #expect(known.takeToldOf().map(\.name) == ["w0"])
    known.take(LinkDatagrams.renamed)
    known.take(LinkDatagrams.deleted)
    #expect(known.takeToldOf() == [])
    #expect(known.byIndex.keys.sorted() == [1])
  }
}

extension KnownInterfaces {
  fileprivate mutating func take(_ octets: some Collection<UInt8>) {
    let octets = Array(octets)
    unsafe take(octets.span.bytes)
  }
}

@Suite("Interfaces of this machine")
struct InterfaceTableTests {
  @Test("the loopback interface is among them, under its index and its name")
  func loopback() throws {
    let table = try InterfaceTable()
    let loopback = try #require(table.named("lo"))
    #expect(loopback.index == 1)
    #expect(loopback.speed == nil)
    #expect(table[1]?.name == "lo")
    #expect(table.all.first?.name == "lo")
    #expect(table.named("no such name") == nil)
    _ = table.refresh()
    #expect(table[1]?.name == "lo")
  }
}
