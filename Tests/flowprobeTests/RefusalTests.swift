// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Testing

@testable import flowprobe

@Suite("Command lines that are refused")
struct RefusalTests {
  @Test(
    "what does not go together or is missing is told, with exit code 64",
    arguments: [
      ("", "there is nothing to meter; name an interface with -i, an NFLOG group with --nflog or a capture file"),
      ("not port 22", "there is nothing to meter"),
      ("-i eth0 -r file.pcap", "-r excludes -i, --nflog, --natevents and --nat-fields"),
      ("-i eth0 -i eth1 -i eth0", "interface 'eth0' is given twice"),
      ("-i eth0 --json --dest 192.0.2.1", "--json prints flows and --dest exports them; give one of the two."),
      ("-i eth0 --dest 192.0.2.300", "cannot use destination '192.0.2.300'"),
      ("-i eth0 --dest ,", "cannot use destination ','"),
      (
        "-i eth0 --dest 192.0.2.1?protocol=4",
        "cannot use destination '192.0.2.1?protocol=4': '4' cannot be its protocol"
      ),
      ("-i eth0 --dest 192.0.2.1?filter=vlan", "no VLAN support for Raw IP; see 'man pcap-filter'"),
      ("-i eth0 --dest 192.0.2.1?records=nat", "192.0.2.1:2055 is to get NAT events alone, and none are made"),
      ("-i eth0 --profile nprobe", "--profile"), ("-i eth0 --profile rfc --protocol 9", "--profile rfc is of IPFIX"),
      ("-i eth0 --profile rfc --dest 192.0.2.1?protocol=9", "the profile rfc is of IPFIX, and it has NetFlow v9"),
      ("-i eth0 --protocol 8", "--protocol"), ("-i eth0 --protocol netflow", "--protocol"),
      ("-i eth0 --fragments drop", "--fragments"), ("-i eth0 --engine-id -1", "--engine-id"),
      ("-i eth0 --engine-id 4294967296", "--engine-id"), ("-i eth0 --maxflows many", "--maxflows"),
      ("--nflog 65536", "'65536' is no NFLOG group"), ("--nflog 4-1", "'4-1' is no NFLOG group"),
      ("--nflog 1,,2", "'' is no NFLOG group"), ("--nflog eth0", "'eth0' is no NFLOG group"),
      ("--nflog 1-3 --nflog 2", "NFLOG group 2 is given twice"),
      ("--nflog 1-257", "more than 256 NFLOG groups"),
      ("--nflog 5 port 80", "a filter ('port 80') applies to -i and -r"),
      ("-r file.pcap --nat-fields", "-r excludes"), ("--natevents 9", "a filter ('9') applies to"),
      ("--natevents=legcay --nflog 5", "'legcay' is invalid"),
      ("--natevents --nat-buffer 64 port 80", "a filter ('port 80') applies to"),
      ("-i eth0 --mark", "--mark and --uid are known of packets that rules log"), ("-r file.pcap --uid", "--nflog"),
      ("-r file.pcap --stat-dir /tmp", "--stat-dir tells of live metering"),
      ("-i eth0 --stat-dir /tmp --no-stat", "--stat-dir and --no-stat exclude each other"),
      ("-r file.pcap --metrics 9995", "--metrics and --control tell of live metering"),
      ("-r file.pcap --control /tmp/control", "--metrics and --control tell of live metering"),
      ("-i eth0 --metrics eth0:9995", "'eth0:9995' is no address to listen on; give a port, as in 9995, or an address"),
      ("-i eth0 --metrics 0", "'0' is no address to listen on"),
      ("-i eth0 --control /tmp/control --no-control", "--control and --no-control exclude each other"),
      (
        "-i eth0 --control \(String(repeating: "a", count: 108))",
        "is no path for a socket; give one of 1 to 107 octets"
      ),
      ("-i eth0 --control-group=", "Missing value for '--control-group"),
      ("-i eth0 --stat-dir=", "Missing value for '--stat-dir"),
      ("-i eth0 --sampler d:1", "cannot sample flows by 'd:1'; write deterministic:N, random:N or hash:N, with N"),
      ("-i eth0 --mpls 11", "--mpls 11 is out of range; give 0 to 10."),
      ("-i eth0 --packet-sampling 1", "--packet-sampling 1 is out of range; give 2 to 16383."),
      ("-i eth0 --packet-sampling 16384", "--packet-sampling 16384 is out of range; give 2 to 16383."),
      (
        "-i eth0 --packet-sampling 10 --sampler r:10", "--sampler chooses flows and --packet-sampling packets; give one"
      ),
      ("-i eth0 --aggregation 10.0.0.0/8=24,80", "'80' is no aggregation rule; write address/length=length, as in"),
      ("-i eth0 --snmp-rules eth", "'eth' is no rule for interface indexes; write prefix:base, as in eth:100."),
      (
        "-r file.pcap --snmp-rules eth:100",
        "--snmp-rules go by the names of this machine's interfaces; a file's packets"
      ),
      ("-i eth0 --metering-cpu 0,x", "'x' is no processor; give a number from 0 to 1023, or a range as in 1-3."),
      ("-i eth0 --metering-cpu 3-1", "'3-1' is no processor"),
      ("-i eth0 --metering-cpu 1024", "'1024' is no processor"),
      ("-i eth0 --no-such-option", "--no-such-option"), ("-i", "-i"),
    ])
  func conflicts(arguments: String, text: String) throws {
    let refused = try #require(refusal(arguments))
    #expect(refused.text.contains(text))
    #expect(refused.code == 64)
  }

  @Test(
    "numbers out of range are refused, those at its ends taken",
    arguments: [
      ("--snaplen", 64, 262_144), ("--buffer-size", 64, 2_097_151), ("--threads", 1, 64),
      ("--active-timeout", 1, 86_400),
      ("--inactive-timeout", 1, 86_400), ("--maxflows", 1, 1_073_741_824), ("--refresh-rate", 1, 1_000_000),
      ("--timeout-rate", 1, 10_000), ("--nflog-size", 64, 65_531), ("--nflog-threshold", 1, 65_535),
      ("--nflog-timeout", 10, 1000), ("--nflog-message", 4096, 131_072), ("--nat-buffer", 64, 2_097_151),
      ("--sndbuf", 0, 2_147_483_647), ("--export-rate", 0, 1_000_000_000),
      ("--hashsize", 0, 1_073_741_824), ("--exportcpu", -1, 1023),
    ])
  func ranges(option: String, lowest: Int, highest: Int) throws {
    #expect(refusal("-i eth0 \(option)=\(lowest)") == nil)
    #expect(refusal("-i eth0 \(option)=\(highest)") == nil)
    for value in [lowest - 1, highest + 1] {
      let refused = try #require(refusal("-i eth0 \(option)=\(value)"))
      #expect(refused.text == "\(option) \(value) is out of range; give \(lowest) to \(highest).")
      #expect(refused.code == 64)
    }
  }

  @Test("asking for the version is no error, and the help names the options")
  func cleanExits() throws {
    let version = try #require(refusal("--version"))
    #expect(version.text == "0.1.0")
    #expect(version.code == 0)
    let help = Flowprobe.helpMessage(for: Meter.self)
    let options = ["--interface", "--read", "--dest", "--protocol", "--json"]
    #expect(options.filter { !help.contains($0) } == [])
  }
}
