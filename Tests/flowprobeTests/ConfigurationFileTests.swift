// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FlowExport
import Glibc
import Testing

@testable import flowprobe

@Suite("Configuration files")
struct ConfigurationFileTests {
  private func arguments(_ text: String) throws -> [String] {
    try ConfigurationFile(text, path: "flowprobe.conf").arguments
  }

  private func refusal(_ text: String) -> String? {
    do throws(ConfigurationFile.Refusal) {
      _ = try ConfigurationFile(text, path: "flowprobe.conf")
      return nil
    } catch {
      return error.description
    }
  }

  @Test("a line is an option, with or without dashes, its value behind a space or an equals sign")
  func lines() throws {
    let text = """
      # what the router forwards
      nflog 5
        --natevents
      dest = 192.0.2.1:2055, 192.0.2.2

      ; an old habit
      i eth0
      protocol=9
      filter not port 22
      """
    #expect(
      try arguments(text) == [
        "--nflog=5", "--natevents", "--dest=192.0.2.1:2055, 192.0.2.2", "--interface=eth0", "--protocol=9", "not",
        "port",
        "22",
      ])
  }

  @Test("what the program does not take is told with file and line")
  func refused() {
    #expect(
      refusal("nflog 5\nprotcol 9\n")?.hasPrefix("cannot use configuration file 'flowprobe.conf', line 2: ") == true)
    #expect(refusal("nflog 70000")?.contains("line 1: '70000' is no NFLOG group") == true)
    #expect(refusal("active-timeout 0")?.contains("--active-timeout 0 is out of range; give 1 to 86400.") == true)
    #expect(refusal("config other.conf")?.contains("cannot name another one") == true)
    #expect(refusal("nflog 5\ncheck\n")?.contains("line 2: 'check' starts nothing; give it on the command") == true)
    // The parser would take the lines behind it for a filter's words.
    #expect(refusal("nflog 5\n--\n")?.contains("line 2: there is no name in '--'") == true)
    #expect(refusal("-")?.contains("there is no name") == true)
    for word in ["--", "--config=/tmp/x", "-i", "--check"] {
      let reason = refusal("nflog 5\nfilter tcp \(word) udp\nnatevents")
      #expect(reason?.contains("line 2: '\(word)' is no word of a filter") == true)
    }
    #expect(refusal("filter tcp[12] - 2 > 5") == nil)
    #expect(refusal("read capture.pcap\ninterface eth0\nnatevents legacy\nmac\n") == nil)
  }

  @Test("a file of 1 MiB is taken whole, a longer one is refused and not cut")
  func longest() throws {
    let path = "/tmp/flowprobe-conf-\(getpid())"
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer {
      close(descriptor)
      unsafe unlink(path)
    }
    let option = "nflog 5\n"
    #expect(Console.write(to: descriptor, String(repeating: "#", count: (1 << 20) - option.utf8.count - 1) + "\n") == 0)
    #expect(Console.write(to: descriptor, option) == 0)
    #expect(try ConfigurationFile(path: path).arguments == ["--nflog=5"])
    #expect(Console.write(to: descriptor, "\n") == 0)
    let error = #expect(throws: ConfigurationFile.Refusal.self) { try ConfigurationFile(path: path) }
    #expect(
      error?.description == "cannot use configuration file '\(path)': it has more than 1048576 octets; give a list of"
        + " options, one a line")
  }

  @Test("a filter of more words than the parser could ever take is refused")
  func words() {
    #expect(
      refusal("nflog 5\nfilter " + String(repeating: "( ", count: 100_000))
        == "cannot use configuration file 'flowprobe.conf', line 2: there are more than 2000 options and words of"
        + " filters; give fewer")
  }

  @Test("a file that cannot be read is told")
  func missing() {
    #expect(throws: ConfigurationFile.Refusal.self) { try ConfigurationFile(path: "/nonexistent/flowprobe.conf") }
  }
}

@Suite("Settings of ipt_NETFLOW")
struct ModuleSettingsTests {
  private func configuration(_ text: String) throws -> [Substring] {
    try ModuleSettings(text).configuration(group: 5, of: "file").split(separator: "\n")
  }

  @Test("the line of modprobe.d that the guides for home-made routers give")
  func guides() throws {
    #expect(
      try configuration("options ipt_NETFLOW destination=127.0.0.1:2055 protocol=10 natevents=1\n") == [
        "nflog 5", "active-timeout 1800", "dest 127.0.0.1:2055", "engine-id 0", "natevents legacy", "protocol 10",
      ])
    let shorter = "destination=127.0.0.1:2055 protocol=10 natevents=1 inactive_timeout=15 active_timeout=15"
    #expect(
      try configuration("# comment\noptions ipt_NETFLOW \(shorter)") == [
        "nflog 5", "active-timeout 15", "dest 127.0.0.1:2055", "engine-id 0", "inactive-timeout 15", "natevents legacy",
        "protocol 10",
      ])
  }

  @Test("a listing of sysctl, with a rule of the raw table", arguments: ["", "[12:3400] "])
  func listing(counters: String) throws {
    let text = """
      net.netflow.active_timeout = 1800
      net.netflow.destination = 192.0.2.1:2055,[2001:db8::1]:2055
      net.netflow.promisc = 1
      net.netflow.protocol = 9
      net.netflow.refresh-rate = 20
      net.netflow.scan-min = 1
      *raw
      \(counters)-A PREROUTING -i eth0 -j NETFLOW
      """
    #expect(
      try configuration(text).filter { !$0.hasPrefix("#") } == [
        "nflog 5", "active-timeout 1800", "dest 192.0.2.1:2055,[2001:db8::1]:2055", "engine-id 0", "protocol 9",
        "refresh-rate 20",
      ])
    #expect(try configuration(text).contains("# rule: -A PREROUTING -i eth0 -j NETFLOW"))
  }

  @Test("the module's defaults hold where nothing is said; values in quotation marks are whole")
  func defaults() throws {
    #expect(
      try configuration("options ipt_NETFLOW 'destination=192.0.2.1 192.0.2.2' maxflows=0") == [
        "nflog 5", "active-timeout 1800", "dest 192.0.2.1 192.0.2.2", "engine-id 0", "maxflows 1073741824",
        "protocol 5",
      ])
  }

  @Test("what is printed is taken by the program")
  func taken() throws {
    let text = try ModuleSettings("options ipt_NETFLOW natevents=1 sndbuf=1000000 hashsize=65536 debug=1")
      .configuration(group: 7, of: "file")
    let file = try ConfigurationFile(text, path: "flowprobe.conf")
    let meter = try #require(try Flowprobe.parseAsRoot(NetfilterOptions.completing(file.arguments)) as? Meter)
    try meter.checkCombination()
    #expect(meter.netfilter.nflog == ["7"])
    #expect(meter.export.exportProtocol == .netFlow5)
    #expect(meter.metering.activeTimeout == 1800)
  }

  @Test("a file without such settings is refused")
  func other() {
    #expect(throws: ConfigurationFile.Refusal.self) { try configuration("options snd_hda_intel model=auto") }
  }
}
