// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowExport

@Suite("Lists of destinations")
struct DestinationParserTests {
  private func list(_ texts: String..., defaults: ExportConfiguration = ExportConfiguration()) throws
    -> [DestinationEntry]
  {
    try DestinationEntry.list(texts, defaults: defaults)
  }

  private func names(_ text: String) throws -> [String] {
    try list(text).flatMap { $0.destinations.map(\.description) }
  }

  private func configuration(_ text: String) throws -> ExportConfiguration {
    try #require(try list(text).first?.destinations.first).configuration
  }

  @Test(
    "entries of a list are apart by any run of spaces, commas, semicolons, tabs and line ends",
    arguments: [
      "192.0.2.1,192.0.2.2", "192.0.2.1 192.0.2.2", "192.0.2.1;192.0.2.2", "192.0.2.1\t192.0.2.2",
      "192.0.2.1\n192.0.2.2\n", " ,192.0.2.1 ,; \t\n 192.0.2.2;; ", "mirror(192.0.2.1, 192.0.2.2)",
      "192.0.2.1 mirror(192.0.2.1,192.0.2.2)",
    ])
  func lists(text: String) throws { #expect(try names(text) == ["192.0.2.1:2055", "192.0.2.2:2055"]) }

  @Test("lists stand in a few brackets at most, however many there are")
  func nesting() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "mirror(", count: depth) + "192.0.2.1" + String(repeating: ")", count: depth)
    }
    #expect(try names(nested(8)) == ["192.0.2.1:2055"])
    for depth in [9, 100_000] {
      #expect {
        try list(nested(depth))
      } throws: {
        "\($0)".contains("stands in more than 8 brackets; name the destinations in one list")
      }
    }
  }

  @Test("a filter with a zero octet, where libpcap would end it, is refused")
  func zero() throws {
    #expect {
      try list("192.0.2.1?filter=tcp%00or%20udp")
    } throws: {
      "\($0)".contains("there is a zero octet in it")
    }
  }

  @Test("a destination that is named twice is kept once, where it stood first, whatever it is sent from")
  func duplicates() throws {
    #expect(
      try names("192.0.2.2,192.0.2.1:2055,192.0.2.2:2055,192.0.2.1,192.0.2.1:2056")
        == ["192.0.2.2:2055", "192.0.2.1:2055", "192.0.2.1:2056"])
    #expect(try names("2001:db8::1 [2001:db8:0::1]:2055").count == 1)
    #expect(
      try names("192.0.2.1:2055 192.0.2.1:2055@198.51.100.7 192.0.2.1%eth0 udp://192.0.2.1?protocol=10")
        == ["192.0.2.1:2055"])
    #expect(try names("hash(192.0.2.1,192.0.2.1,192.0.2.2)") == ["192.0.2.1:2055", "192.0.2.2:2055"])
  }

  @Test("destinations of one address that differ otherwise are numbered")
  func numbers() throws {
    #expect(
      try names("192.0.2.1?protocol=9, 192.0.2.1, failover(192.0.2.1,192.0.2.2)")
        == ["192.0.2.1:2055", "192.0.2.1:2055#2", "192.0.2.1:2055#3", "192.0.2.2:2055"])
  }

  @Test("a destination may be a URL, and has the address of one without")
  func urls() throws {
    for (text, name) in [
      ("udp://192.0.2.1", "192.0.2.1:2055"), ("udp://192.0.2.1:9995/", "192.0.2.1:9995"),
      ("udp://[2001:db8::1]:4739@[2001:db8::2]%eth0?protocol=9", "[2001:db8::1]:4739@[2001:db8::2]%eth0"),
      ("udp://collector.example/?records=flows", "collector.example:2055"),
      ("192.0.2.1%eth0?sndbuf=1", "192.0.2.1:2055%eth0"), ("tcp://192.0.2.1", "tcp://192.0.2.1:4739"),
      ("tls://[2001:db8::1]@2001:db8::2?ca=/etc/ca.pem", "tls://[2001:db8::1]:4740@[2001:db8::2]"),
      ("tcp://collector.example:4000%eth0/", "tcp://collector.example:4000%eth0"),
    ] {
      #expect(try names(text) == [name])
    }
  }

  @Test("what a destination does not say is the default, and each parameter sets its own")
  func parameters() throws {
    var defaults = ExportConfiguration()
    (defaults.exportProtocol, defaults.observationDomain, defaults.exportRate) = (.netFlow9, 7, 5)
    let all = try list(
      "udp://192.0.2.1?protocol=ipfix&records=flows+nat&profile=rfc&filter=tcp&engine-id=4294967295&refresh-rate=2"
        + "&timeout-rate=3&export-rate=0&sndbuf=65536", "192.0.2.2?sndbuf=9", defaults: defaults)
    var expected = ExportConfiguration()
    (expected.exportProtocol, expected.records, expected.profile) = (.ipfix, [.flows, .natEvents], .rfc)
    (expected.filter, expected.observationDomain) = (try FlowFilter("tcp"), 4_294_967_295)
    (expected.refreshRate, expected.timeoutRate, expected.exportRate, expected.sendBuffer) = (2, 3, 0, 65_536)
    #expect(all[0].destinations[0].configuration == expected)
    defaults.sendBuffer = 9
    #expect(all[1].destinations[0].configuration == defaults)
  }

  @Test("a value is percent-decoded, or stands in quotation marks as it is")
  func values() throws {
    for text in [
      "192.0.2.1?filter=tcp%20port%2080&protocol=9", "192.0.2.1?filter='tcp port 80'&protocol=9",
      "192.0.2.1?protocol=9&filter=\"tcp port 80\"",
    ] {
      #expect(try configuration(text).filter?.expression == "tcp port 80")
      #expect(try configuration(text).exportProtocol == .netFlow9)
    }
    let bits = "tcp[13] & 2 != 0 and (port 80, 443 or 50%3=2)".replacing(", 443", with: "")
    #expect(try configuration("192.0.2.1?filter='\(bits)'").filter?.expression == bits)
    #expect(try configuration("192.0.2.1?filter=(tcp%20or%20udp)").filter?.expression == "(tcp or udp)")
    #expect(try configuration("192.0.2.1?filter=%20").filter == nil)
    #expect(try configuration("192.0.2.1?filter=tcp[13]%2b1=2").filter?.expression == "tcp[13]+1=2")
  }

  @Test("what TCP and TLS take has parameters of its own, and one address by two ways is two destinations")
  func acknowledged() throws {
    let entries = try list(
      "192.0.2.1:9,tcp://192.0.2.1:9?queue=65536&spool=/a&spool-size=1048576,"
        + "tls://192.0.2.1:9?ca=/c&cert=/d&key=/e&name=collector.example")
    #expect(entries.map(\.description) == ["192.0.2.1:9", "tcp://192.0.2.1:9", "tls://192.0.2.1:9"])
    let (tcp, tls) = (entries[1].destinations[0].configuration, entries[2].destinations[0].configuration)
    #expect(tcp.delivery.queue == 65_536)
    #expect(tcp.delivery.spool == "/a")
    #expect(tcp.delivery.spoolSize == 1_048_576)
    #expect(tls.tls.authorities == "/c")
    #expect(tls.tls.certificate == "/d")
    #expect(tls.tls.key == "/e")
    #expect(tls.tls.name == "collector.example")
    #expect(tls.delivery == DeliveryConfiguration())
  }

  @Test("one destination may be read by itself, and no list or group is one")
  func single() throws {
    let destination = try ExportDestination("udp://192.0.2.1?protocol=5")
    #expect(try list("192.0.2.1?protocol=5") == [.destination(destination)])
    #expect(throws: AddressError.self) { try ExportDestination("192.0.2.1,192.0.2.2") }
    #expect(throws: AddressError.self) { try ExportDestination("hash(192.0.2.1)") }
  }

  @Test("a spool is brought to the disk every five seconds, unless the destination says otherwise")
  func spools() throws {
    for (text, sync) in [("", .every(5)), ("&fsync=1", .every(1)), ("&fsync=file", .atEnd), ("&fsync=never", .never)]
      as [(String, FileSync)]
    {
      let delivery = try ExportDestination("tcp://192.0.2.1?spool=/a\(text)").configuration.delivery
      #expect(delivery.spool == "/a")
      #expect(delivery.spoolSync == sync)
    }
  }

  @Test("files are a destination, by their path, with rules of their own and no pace")
  func files() throws {
    var defaults = ExportConfiguration()
    defaults.exportRate = 1000
    let text = "file:///var/lib/flows-%Y%m%d-%H%M.ipfix?rotate=300&size=100M&fsync=5&records=flows"
    let destination = try ExportDestination(text, defaults: defaults)
    #expect(destination.target == .file(try FilePattern("/var/lib/flows-%Y%m%d-%H%M.ipfix")))
    #expect(destination.description == "file:///var/lib/flows-%Y%m%d-%H%M.ipfix")
    let configuration = destination.configuration
    #expect(configuration.file.rotation == 300)
    #expect(configuration.file.size == 104_857_600)
    #expect(configuration.file.sync == .every(5))
    #expect(configuration.records == .flows)
    #expect(configuration.exportRate == 0)
    #expect(try ExportDestination("file:///f").configuration.file == FileRules())
    // A list's separators do not count within quotation marks; those of one path are numbered.
    let listed = try list("file://'/a,b'?records=flows file:///c, file://'/a,b'?records=nat").flatMap(\.destinations)
    #expect(listed.map(\.description) == ["file:///a,b", "file:///c", "file:///a,b#2"])
  }

  @Test("groups hold destinations with parameters of their own, in their order")
  func groups() throws {
    let entries = try list("192.0.2.9, failover(192.0.2.2?protocol=9, 192.0.2.1) round-robin(a.example;b.example:1)")
    guard entries.count == 3, case .group(let failover) = entries[1], case .group(let roundRobin) = entries[2] else {
      Issue.record("read as \(entries)")
      return
    }
    #expect(failover.mode == .failover)
    #expect(failover.members.map(\.configuration.exportProtocol) == [.netFlow9, .ipfix])
    #expect(failover.description == "failover(192.0.2.2:2055,192.0.2.1:2055)")
    #expect(roundRobin.description == "round-robin(a.example:2055,b.example:1)")
    #expect(try list("hash(192.0.2.1)") == [.group(DestinationGroup(.hash, try list("192.0.2.1")[0].destinations))])
  }

  @Test("equal words make equal entries, so that who reads a list again knows which are new")
  func equality() throws {
    let text = "192.0.2.1?filter=tcp, hash(192.0.2.2,192.0.2.3?records=nat)"
    #expect(try list(text) == list(text))
    #expect(try Set(list(text)) == Set(list(text.replacing(", ", with: " "))))
    #expect(try list(text)[0] != list(text.replacing("tcp", with: "udp"))[0])
  }

  @Test(
    "what cannot be understood is refused with the destination, its reason and what is allowed",
    arguments: [
      ("192.0.2.1?protocol=7", "'7' cannot be its protocol; give 10 or ipfix, 9 or v9, 5 or v5"),
      ("192.0.2.1?records=flow", "'flow' cannot be its records; give one or more of flows, nat, options, with +"),
      ("192.0.2.1?records=", "'' cannot be its records"),
      ("192.0.2.1?profile=x", "give one of generic, ipt-netflow, logstash, nfdump, goflow2, rfc"),
      ("192.0.2.1?engine-id=4294967296", "give a number from 0 to 4294967295"),
      ("192.0.2.1?refresh-rate=0", "'0' cannot be its refresh-rate; give a number from 1 to 1000000"),
      ("192.0.2.1?timeout-rate=10001", "give a number from 1 to 10000"),
      ("192.0.2.1?export-rate=-1", "give a number from 0 to 1000000000"),
      ("192.0.2.1?sndbuf=2147483648", "give a number from 0 to 2147483647"),
      ("192.0.2.1?filter=vlan", "its filter 'vlan' cannot be used: no VLAN support for Raw IP; see 'man pcap-filter'"),
      ("192.0.2.1?colour=red", "'colour' is no parameter; give protocol, records, profile, filter, engine-id,"),
      ("192.0.2.1?sndbuf", "'sndbuf' is no parameter with a value"), ("192.0.2.1?=1", "'' is no parameter"),
      ("192.0.2.1?sndbuf=1&sndbuf=2", "sndbuf is given twice"), ("192.0.2.1?filter=%2", "'%2' is no percent-encoded"),
      ("192.0.2.1?filter=%-1", "'%-1' is no percent-encoded"),
      ("192.0.2.1?protocol=9&profile=rfc", "the profile rfc is of IPFIX, and it has NetFlow v9"),
      ("192.0.2.1?protocol=5&records=options", "NetFlow v5 has no options records"),
      ("sctp://192.0.2.1", "'sctp' is no way to send; write udp://, tcp://, tls://"),
      ("tcp://192.0.2.1?protocol=9", "tcp:// is IPFIX's, and it has NetFlow v9; give protocol=10, or write udp://"),
      ("tcp://192.0.2.1?refresh-rate=9", "refresh-rate means nothing to tcp://; leave it out; it is for udp://"),
      ("udp://192.0.2.1?queue=99999", "queue means nothing to udp://; leave it out; it is for tcp://, tls://"),
      ("tcp://192.0.2.1?ca=/x", "ca means nothing to tcp://; leave it out; it is for tls://"),
      ("tls://192.0.2.1?ca=x", "'x' cannot be its ca; give a path that begins with /"),
      ("tls://192.0.2.1?key=/x", "it has a key and no certificate; give the certificate too, with cert=FILE"),
      ("tcp://192.0.2.1?queue=1", "give octets from 64k to 16G"), ("tcp://192.0.2.1?spool=.", "a path that begins"),
      ("tcp://192.0.2.1?spool-size=1048577", "it has a spool-size and no spool"),
      ("tcp://192.0.2.1?fsync=never", "it has an fsync and no spool; give the directory too, with spool=DIRECTORY"),
      ("udp://192.0.2.1?fsync=1", "fsync means nothing to udp://; leave it out; it is for tcp://, tls://, file://"),
      ("tcp://192.0.2.1?spool=/a tls://192.0.2.1?spool=/a", "another destination has the spool '/a'; give each"),
      ("192.0.2.1?rotate=5", "rotate means nothing to udp://; leave it out; it is for file://"),
      ("file:///f?sndbuf=5", "sndbuf means nothing to file://; leave it out; it is for udp://, tcp://, tls://"),
      ("file:///f?rotate=-1", "'-1' cannot be its rotate; give a number from 0 to 31622400"),
      ("file:///f?size=1T", "'1T' cannot be its size; give octets from 0 to 1048576G"),
      ("file:///f?fsync=always", "'always' cannot be its fsync; give never, file, or seconds from 1 to 86400"),
      ("file:///f?protocol=9", "files are of IPFIX, and it has NetFlow v9; give it protocol=ipfix"),
      ("file://f", "'f' is no absolute path; write it as file:///var/lib/flowprobe/flows-%Y%m%d-%H%M.ipfix"),
      ("file:///tmp/", "'/tmp/' names a directory and no file"),
      ("file://'/a b'", "'/a b' has a space or a control character; give a path without"),
      ("file:///f-%D", "'%D' in 'f-%D' is no time; give one of %Y %y %m"),
      ("udp://", "'' is neither an IP address nor a host"),
      ("192.0.2.1?records=flows,nat", "it is a kind of records; write records=flows+nat"),
      ("balance(192.0.2.1)", "'balance' is no kind of group; give one of mirror, hash, round-robin, failover"),
      ("hash(192.0.2.1 failover(192.0.2.2))", "a group cannot hold another one"), ("hash()", "it is empty"),
      ("hash(192.0.2.1", "a bracket or a quotation mark is open"), ("192.0.2.1)", "a bracket or a quotation mark"),
      ("192.0.2.1?filter='tcp", "a bracket or a quotation mark is open"), ("", "it is empty"), (" ,;\n", "it is empty"),
      ("192.0.2.1,192.0.2.2:99999", "'99999' is no port"),
    ])
  func refused(text: String, reason: String) {
    do {
      Issue.record("'\(text)' was read as \(try list(text))")
    } catch {
      let words = "\(error)"
      #expect(words.hasPrefix("cannot use destination '"))
      #expect(words.contains(reason), "\(words)")
    }
  }
}
