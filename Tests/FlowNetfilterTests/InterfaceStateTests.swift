// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter
@testable import FlowNetfilter

@Suite("States of interfaces")
struct InterfaceStateTests {
  private func states(_ octets: [UInt8]) -> [InterfaceState] {
    var states: [InterfaceState] = []
    forEachMessage(octets) { octets, message in
      if let state = InterfaceState(message, in: octets) { states.append(state) }
    }
    return states
  }

  @Test("an interface is up, down, or the loopback, as its flags say")
  func flags() {
    let states = states(LinkDatagrams.dump)
    #expect(states.map(\.name) == ["lo", "v1", "v0"])
    #expect(states.map(\.isUp) == [false, false, false])
    #expect(states.map(\.isLoopback) == [true, false, false])
    // IFF_UP and IFF_RUNNING in lo's message.
    let up = LinkDatagrams.with(0x41, at: 24, in: LinkDatagrams.dump)
    #expect(self.states(up).map(\.isUp) == [true, false, false])
    #expect(self.states(up).map(\.hasCarrier) == [true, false, false])
  }

  private func link(_ attributes: [UInt8]) -> [UInt8] {
    message(16, [0, 0, 1, 0, 7, 0, 0, 0] + Array(repeating: 0, count: 8) + attribute(3, Array("p0".utf8)) + attributes)
  }

  @Test("a port knows its bridge; what lies on another interface that one, unless it is in another namespace")
  func relations() {
    #expect(states(link(attribute(10, [4, 0, 0, 0]))).map(\.controller) == [4])
    #expect(states(link(attribute(5, [3, 0, 0, 0]))).map(\.below) == [3])
    #expect(states(link(attribute(5, [3, 0, 0, 0]) + attribute(37, [0, 0, 0, 0]))).map(\.below) == [nil])
    #expect(states(link(attribute(5, [7, 0, 0, 0]))).map(\.below) == [nil])
  }

  @Test("the loopback of this machine is found")
  func live() throws {
    let loopback = try #require(try InterfaceState.all().first { $0.name == "lo" })
    #expect(loopback.isLoopback)
    #expect(loopback.index == 1)
  }
}
