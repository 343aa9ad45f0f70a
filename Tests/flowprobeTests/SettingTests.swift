// SPDX-License-Identifier: Apache-2.0

import FlowExport
import FlowMeter
import Testing

@testable import flowprobe

@Suite("Settings of a running program")
struct SettingTests {
  private func changes(_ arguments: String, _ set: (String, String)...) throws -> ProbeConfiguration {
    let arguments = arguments.split(separator: " ").map(String.init)
    var changes = OptionChanges(arguments, arguments: arguments)
    for (name, value) in set { try changes.set(Setting.named(name), to: value) }
    return try changes.configuration()
  }

  @Test(
    "a setting has the option's name, the module parameter's and the sysctl's",
    arguments: [
      ("active-timeout", "active-timeout"), ("active_timeout", "active-timeout"),
      ("net.netflow.active_timeout", "active-timeout"), ("destination", "dest"), ("net.netflow.destination", "dest"),
      ("refresh-rate", "refresh-rate"), ("snmp_rules", "snmp-rules"), ("engine_id", "engine-id"),
    ])
  func names(name: String, option: String) throws { #expect(try Setting.named(name).option == option) }

  @Test("what cannot be changed is refused with a list of what can")
  func unknown() {
    #expect {
      try Setting.named("snaplen")
    } throws: {
      "\($0)".hasPrefix(
        "there is no setting 'snaplen' that changes while flowprobe runs; these do: interface, nflog, promisc, natevents,"
      )
    }
  }

  @Test("a value that is set stands in place of all that were given, by whichever name")
  func replaces() throws {
    let configuration = try changes(
      "-i eth0 --interface=eth1 --dest 192.0.2.1 --dest=192.0.2.2 --active-timeout 30 not port 22",
      ("interface", "eth2, eth3"), ("destination", "192.0.2.3:9"), ("net.netflow.active_timeout", "40"),
      ("active-timeout", "50"))
    #expect(configuration.settings["interface"] == "eth2,eth3")
    #expect(configuration.settings["dest"] == "192.0.2.3:9")
    #expect(configuration.destinations.map(\.description) == ["192.0.2.3:9"])
    #expect(configuration.table.expiration.activeTimeout == .seconds(50))
    #expect(configuration.filter == "not port 22")
  }

  @Test("flags are 1 and 0, and natevents takes ipt_NETFLOW's 1 for its own numbers")
  func flags() throws {
    let on = "--nflog 1 --natevents --dest 192.0.2.1"
    #expect(try changes(on).settings["natevents"] == "rfc8158")
    #expect(try changes(on, ("natevents", "0")).exportsNATEvents == false)
    #expect(try changes(on, ("natevents", "1")).export.natEventCodes == .legacy)
    #expect(try changes("-i lo --no-promisc").settings["promisc"] == "0")
    #expect(try changes("-i lo --no-promisc", ("promisc", "1")).capture.promiscuous)
    #expect(throws: ChangeRefusal.self) { try changes("-i lo", ("promisc", "yes")) }
  }

  @Test("a value out of range, or none at all, is refused in the parser's words")
  func refused() {
    #expect {
      try changes("-i lo", ("active-timeout", "0"))
    } throws: {
      "\($0)" == "--active-timeout 0 is out of range; give 1 to 86400."
    }
    #expect {
      try changes("-i lo", ("interface", ""))
    } throws: {
      "\($0)" == "there is no value; give one"
    }
  }

  @Test("an empty value takes rules away")
  func empty() throws {
    let rules = "-i lo --aggregation 80=0 --snmp-rules eth:100"
    #expect(try changes(rules, ("aggregation", ""), ("snmp-rules", "")).selection.aggregation == nil)
    #expect(try changes(rules, ("snmp-rules", "ppp:5")).interfaceIndexRules?.index(of: "ppp1") == 6)
  }

  @Test("what takes a restart is named once and stays; rules that stay go on counting")
  func fixed() throws {
    let old = try changes("-i lo --dest 192.0.2.1 --aggregation 80=0 --mpls 2")
    var next = try changes(
      "-i lo --dest 192.0.2.2,hash(192.0.2.3,192.0.2.4) --aggregation 80=0 --snaplen 100 --mac --mpls 3 --threads 2"
        + " --maxflows 10 --user nobody --keep-capabilities none --no-sandbox udp"
    )
    let fixed = try next.keepWhatIsFixed(of: old)
    #expect(
      fixed == [
        "filter", "snaplen", "mac, mark or uid", "mpls", "threads", "user", "keep-capabilities", "no-sandbox",
      ])
    #expect(next.destinations.flatMap(\.destinations).map(\.configuration.recordedLabels) == [2, 2, 2])
    #expect(next.capture.snapLength == old.capture.snapLength && next.filter.isEmpty && next.threads == 1)
    #expect(next.table.maxFlows == 10)
    #expect(next.selection.aggregationUsage === old.selection.aggregationUsage)
    #expect(throws: ChangeRefusal.self) {
      var printing = try changes("-i lo")
      _ = try printing.keepWhatIsFixed(of: old)
    }
  }
}
