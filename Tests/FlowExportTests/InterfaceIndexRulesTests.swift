// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Rules for interface indexes")
struct InterfaceIndexRulesTests {
  @Test(
    "the index is the base and the number behind the prefix, of the first rule whose prefix the name has",
    arguments: [
      ("eth0", 100), ("eth7", 107), ("eth12", 112), ("eth", 100), ("eth0.20", 100), ("ethernet5", 100), ("ppp3", 203),
      ("ppp003", 203), ("tun-5", 300), ("wlan0", nil), ("", nil), ("e", nil), ("Eth0", nil), ("ppp4294967295", .max),
      ("ppp99999999999", .max), ("ppp4294967096", .max),
    ] as [(String, UInt32?)])
  func indexes(name: String, expected: UInt32?) throws {
    let rules = try #require(try InterfaceIndexRules.parse("eth:100,ppp:200 tun:300;eth1:900"))
    #expect(rules.index(of: name) == expected)
  }

  @Test("a longer prefix goes first where it stands first")
  func order() throws {
    let rules = try #require(try InterfaceIndexRules.parse("eth1:900,eth:100"))
    #expect(["eth1", "eth12", "eth2"].map { rules.index(of: $0) } == [900, 902, 102])
  }

  @Test(
    "what is no rule is refused with a sentence that names it",
    arguments: ["eth", "eth:", ":100", "eth:-1", "eth:4294967296", "eth:1:2", "eth:x"])
  func refusals(rule: String) throws {
    #expect(
      throws: SelectionError(
        description: "'\(rule)' is no rule for interface indexes; write prefix:base, as in eth:100.")
    ) { try InterfaceIndexRules.parse("ppp:200," + rule) }
    #expect(try InterfaceIndexRules.parse("") == nil)
  }

  @Test("all four interfaces of a record are renumbered, and unknown ones stay as they are")
  func records() {
    var record = Sample.ipv4(.udp)
    record.renumberInterfaces([2: 102])
    #expect((record.key.ingressInterface, record.egressInterface) == (102, 3))
    record = Sample.ipv4(.udp) {
      ($0.detail.ingressPhysicalInterface, $0.detail.egressPhysicalInterface) = (4, 5)
      $0.detail.mark = 2
    }
    record.renumberInterfaces([2: 102, 3: 103, 4: 104, 5: 105])
    #expect((record.key.ingressInterface, record.egressInterface) == (102, 103))
    #expect((record.detail.ingressPhysicalInterface, record.detail.egressPhysicalInterface) == (104, 105))
    #expect(record.detail.mark == 2)
  }
}
