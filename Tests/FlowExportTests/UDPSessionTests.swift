// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("UDP sessions")
struct UDPSessionTests {
  private static let lengths: [[Int]] = [
    [1],
    [1420],
    Array(repeating: 1420, count: 96),
    Array(repeating: 1400, count: 40) + [200],
    [60] + Array(repeating: 1400, count: 20) + [60, 60, 1400, 1400, 1399, 1400, 12],
    (0..<64).map { 100 + $0 }.reversed(),
    (0..<64).map { 100 + $0 },
  ]

  private func check(_ version: IPVersion, _ lengths: [Int], segments: Bool) throws {
    let receiver = try #require(LoopbackReceiver(version))
    let session = try UDPSession(to: receiver)
    if !segments { session.refuseSegmentation() }
    let outcome = session.send(batch(lengths: lengths), 0..<lengths.count)
    #expect(outcome.sent == lengths.count)
    #expect(outcome.error == nil)
    #expect(outcome.refusals == 0)
    let received = receiver.receive(lengths.count)
    #expect(received.map(\.count) == lengths)
    #expect(received == lengths.enumerated().map { datagram($0.offset, $0.element) })
    #expect(receiver.isEmpty)
  }

  @Test("batches of equal and mixed lengths arrive complete and in order over IPv4", arguments: lengths)
  func ipv4(lengths: [Int]) throws { try check(.v4, lengths, segments: true) }

  @Test("they do over IPv6", .enabled(if: LoopbackReceiver.exists(.v6)), arguments: lengths)
  func ipv6(lengths: [Int]) throws { try check(.v6, lengths, segments: true) }

  @Test("they do where the kernel refuses segmentation", arguments: lengths)
  func withoutSegmentation(lengths: [Int]) throws { try check(.v4, lengths, segments: false) }

  @Test("the way to a collector has a source address, its interface and an MTU; a name without an address has none")
  func path() throws {
    let path = try CollectorPath(to: CollectorAddress("127.0.0.1:2055"), ExportConfiguration())
    #expect(path.remote == "127.0.0.1")
    #expect(path.local == "127.0.0.1")
    #expect(path.interface == "lo")
    #expect(try #require(path.mtu) >= 1280)
    let other = try CollectorPath(to: CollectorAddress("127.0.0.1:2055@127.0.0.2"), ExportConfiguration())
    #expect(other.local == "127.0.0.2")
    #expect(other.interface == nil)
    #expect(throws: ExportError(.connect, reason: "its name has no address")) {
      try CollectorPath(to: CollectorAddress("nosuch.invalid"), ExportConfiguration())
    }
  }

  @Test("a part of a batch is sent from where it begins")
  func part() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let session = try UDPSession(to: receiver)
    let outcome = session.send(batch(lengths: [10, 20, 20, 20, 30]), 1..<4)
    #expect(outcome.sent == 3)
    #expect(receiver.receive(3) == [datagram(1, 20), datagram(2, 20), datagram(3, 20)])
    #expect(receiver.isEmpty)
  }

  @Test("an answer that nobody listens is counted, and costs no message", arguments: [true, false])
  func refused(segments: Bool) throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    receiver.refuseOthers()
    let session = try UDPSession(to: receiver)
    if !segments { session.refuseSegmentation() }
    var refusals = 0
    // The answer comes with the next send, or a little later.
    for _ in 0..<1000 where refusals == 0 {
      let outcome = session.send(batch(lengths: [100, 100, 50]), 0..<3)
      #expect(outcome.sent == 3)
      #expect(outcome.error == nil)
      refusals += outcome.refusals
    }
    #expect(refusals > 0)
  }

  @Test("the largest message is what the path's MTU leaves behind the headers")
  func messageLimit() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    // An IPv4 datagram has at most 65535 octets (RFC 791), however large the loopback's MTU is.
    #expect(try UDPSession(to: receiver).messageLimit == 65_507)
  }

  @Test("over IPv6 its header takes 20 octets more", .enabled(if: LoopbackReceiver.exists(.v6)))
  func messageLimitIPv6() throws {
    let receiver = try #require(LoopbackReceiver(.v6))
    #expect(try UDPSession(to: receiver).messageLimit == 65_488)
  }

  @Test("a session knows its addresses and ports, so that its datagrams can be left out of the metering")
  func own() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let source = ResolvedAddress(address("127.0.0.2"), .v4, port: 0)
    let session = try UDPSession(to: receiver.address, source: source, device: nil, UDPSession.Configuration())
    let own = try #require(session.own)
    #expect(own.source == address("127.0.0.2"))
    #expect(own.destination == address("127.0.0.1"))
    #expect(own.destinationPort == receiver.address.port)
    #expect(own.sourcePort != 0)
    #expect(own.version == .v4)
  }

  @Test("a source that is not this machine's and a device that is not there are errors of the connection")
  func cannotOpen() throws {
    let receiver = try #require(LoopbackReceiver(.v4))
    let foreign = ResolvedAddress(address("192.0.2.1"), .v4, port: 0)
    #expect(throws: ExportError(.connect, reason: "cannot assign requested address")) {
      try UDPSession(to: receiver.address, source: foreign, device: nil, UDPSession.Configuration())
    }
    #expect(throws: ExportError.self) {
      try UDPSession(to: receiver.address, source: nil, device: "nosuchdevice", UDPSession.Configuration())
    }
  }
}
