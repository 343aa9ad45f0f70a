// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Destinations")
struct CollectorAddressTests {
  @Test(
    "an entry is read in each form that ipt_NETFLOW takes, and printed as it prints it",
    arguments: [
      ("192.0.2.1", "192.0.2.1:2055"),
      ("192.0.2.1:9995", "192.0.2.1:9995"),
      ("192.0.2.1:1", "192.0.2.1:1"),
      ("192.0.2.1:65535", "192.0.2.1:65535"),
      ("192.0.2.1@198.51.100.7", "192.0.2.1:2055@198.51.100.7"),
      ("192.0.2.1:9995@198.51.100.7", "192.0.2.1:9995@198.51.100.7"),
      ("192.0.2.1%eth0", "192.0.2.1:2055%eth0"),
      ("192.0.2.1:9995@198.51.100.7%eth0.100", "192.0.2.1:9995@198.51.100.7%eth0.100"),
      ("2001:db8::1", "[2001:db8::1]:2055"),
      ("2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:2055"),
      ("::1", "[::1]:2055"),
      ("[2001:db8::1]", "[2001:db8::1]:2055"),
      ("[2001:db8::1]:4739", "[2001:db8::1]:4739"),
      ("2001:db8::1p2055", "[2001:db8::1]:2055"),
      ("2001:db8::1#4739", "[2001:db8::1]:4739"),
      ("2001:db8::1.4739", "[2001:db8::1]:4739"),
      ("::ffff:192.0.2.1", "[::ffff:192.0.2.1]:2055"),
      ("::ffff:192.0.2.1p4739", "[::ffff:192.0.2.1]:4739"),
      ("::ffff:192.0.2.1.4739", "[::ffff:192.0.2.1]:4739"),
      ("[2001:db8::1]:4739@2001:db8::2", "[2001:db8::1]:4739@[2001:db8::2]"),
      ("[2001:db8::1]:4739@[2001:db8::2]%eth0", "[2001:db8::1]:4739@[2001:db8::2]%eth0"),
      ("2001:db8::1#4739@2001:db8::2%eth0", "[2001:db8::1]:4739@[2001:db8::2]%eth0"),
      ("fe80::1%eth0", "[fe80::1]:2055%eth0"),
    ])
  func forms(entry: String, printed: String) throws {
    let destination = try CollectorAddress(entry)
    #expect(destination.description == printed)
    // What is printed is an entry too, of the same destination.
    #expect(try CollectorAddress(printed).description == printed)
  }

  @Test("host, port, source and device are told apart")
  func parts() throws {
    let destination = try CollectorAddress("[2001:db8::1]:4739@[2001:db8::2]%eth0")
    #expect(destination.host == .address(address("2001:db8::1"), .v6))
    #expect(destination.port == 4739)
    #expect(destination.source?.address == address("2001:db8::2"))
    #expect(destination.source?.version == .v6)
    #expect(destination.device == "eth0")
    let plain = try CollectorAddress("192.0.2.1")
    #expect(plain.host == .address(address("192.0.2.1"), .v4))
    #expect(plain.port == 2055)
    #expect(plain.source == nil)
    #expect(plain.device == nil)
  }

  @Test(
    "a DNS name stands in place of the address",
    arguments: [
      ("collector.example", "collector.example:2055"), ("collector.example:4739", "collector.example:4739"),
      ("localhost", "localhost:2055"), ("a_b-1.example.", "a_b-1.example.:2055"),
      ("c1:9995@192.0.2.7%eth0", "c1:9995@192.0.2.7%eth0"), ("c1@2001:db8::7", "c1:2055@[2001:db8::7]"),
    ])
  func names(entry: String, printed: String) throws {
    let destination = try CollectorAddress(entry)
    #expect(destination.description == printed)
    guard case .name = destination.host else {
      Issue.record("\(destination.host) is no name")
      return
    }
  }

  @Test(
    "what cannot be understood is refused with its reason",
    arguments: [
      ("192.0.2.1:0", "'0' is no port"), ("192.0.2.1:65536", "'65536' is no port"),
      ("192.0.2.1:", "'' is no port"), ("192.0.2.1:http", "'http' is no port"),
      ("192.0.2.1:+80", "'+80' is no port"), ("192.0.2.1:-1", "'-1' is no port"),
      ("2001:db8::1p", "'' is no port"), ("[2001:db8::1]:x", "'x' is no port"),
      ("[2001:db8::1", "the bracket is not closed"), ("[2001:db8::1]4739", "behind the bracket is no port"),
      ("192.0.2.1%", "no interface name"), ("192.0.2.1%sixteenletterslo", "no interface name"),
      ("192.0.2.1@", "no IP address"), ("192.0.2.1@gateway", "'gateway' behind '@' is no IP address"),
      ("192.0.2.1@2001:db8::7", "different IP versions"), ("2001:db8::1@192.0.2.7", "different IP versions"),
      ("192.0.2.300", "neither an IP address nor a host name"), ("1.2.3", "neither an IP address nor a host name"),
      (":2055", "neither an IP address nor a host name"), ("-c.example", "neither an IP address nor a host name"),
      ("collector/example", "neither an IP address nor a host name"),
      ("köln.example", "neither an IP address nor a host name"),
      ("2001:db8::g", "neither an IP address nor a host name"), ("[]", "neither an IP address nor a host name"),
    ])
  func refused(entry: String, reason: String) {
    do {
      let destination = try CollectorAddress(entry)
      Issue.record("'\(entry)' was read as \(destination)")
    } catch {
      #expect(error.entry == entry)
      #expect(error.reason.contains(reason))
      #expect(error.description.hasPrefix("cannot use destination '\(entry)': "))
      #expect(error.description.hasSuffix("such as 192.0.2.1:2055 or [2001:db8::1]:2055"))
    }
  }
}
