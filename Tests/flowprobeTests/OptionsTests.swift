// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FlowExport
import FlowMeter
import FlowNetfilter
import Glibc
import Testing

@testable import flowprobe

@Suite("Options")
struct OptionsTests {
  @Test("an interface alone is enough; everything else has its default")
  func defaults() throws {
    let meter = try #require(try metering("-i eth0"))
    let options = meter.metering
    #expect(options.interfaces == ["eth0"])
    #expect(options.read == nil)
    #expect(options.promisc)
    #expect(options.snaplen >= 128)
    #expect(options.bufferSize >= 64)
    #expect(options.activeTimeout == 60)
    #expect(options.inactiveTimeout == 15)
    #expect(options.maxflows == 2_000_000)
    #expect(options.fragments == .track)
    #expect(options.details == RecordedDetails())
    #expect(options.mpls == 0)
    #expect(meter.filter.expression == "")
    #expect(meter.export.dest == [])
    #expect(meter.export.exportProtocol == .ipfix)
    #expect(meter.export.engineID == nil)
    #expect(meter.export.refreshRate == 20)
    #expect(meter.export.timeoutRate == 30)
    #expect(meter.export.sndbuf == 0)
    #expect(meter.export.exportRate == nil)
    #expect(!meter.output.json)
  }

  @Test("each option sets what it names")
  func each() throws {
    let meter = try #require(
      try metering(
        "-i eth0 --interface eth1 --no-promisc --snaplen 256 -B 1024 --active-timeout 120 --inactive-timeout 30"
          + " --maxflows 1000 --fragments zero --dest 192.0.2.1 --protocol v9 --engine-id 4294967295"
          + " --refresh-rate 5 --timeout-rate 1 --sndbuf 65536 --export-rate 500"))
    let options = meter.metering
    #expect(options.interfaces == ["eth0", "eth1"])
    #expect(options.capture(meter.filter).promiscuous == false)
    #expect(options.capture(meter.filter).snapLength == 256)
    #expect(options.capture(meter.filter).bufferSize == 1_048_576)
    #expect(options.expiration.activeTimeout == .seconds(120))
    #expect(options.expiration.inactiveTimeout == .seconds(30))
    #expect(options.maxflows == 1000)
    #expect(options.fragments == .zero)
    #expect(try meter.configuration.destinations.map(\.description) == ["192.0.2.1:2055"])
    let export = meter.export.configuration(readsFile: false)
    #expect(export.exportProtocol == .netFlow9)
    #expect(export.observationDomain == 4_294_967_295)
    #expect(export.refreshRate == 5)
    #expect(export.timeoutRate == 1)
    #expect(export.sendBuffer == 65_536)
    #expect(export.exportRate == 500)
    #expect(export.program == "flowprobe 0.1.0")
  }

  @Test("details are recorded where asked for, each by itself")
  func details() throws {
    let mac = try #require(try metering("-i eth0 --mac")).metering
    #expect(mac.details == RecordedDetails(hardwareAddresses: true))
    #expect(try metering("--nflog 1 --mark")?.metering.details == RecordedDetails(mark: true))
    #expect(try metering("--nflog 1 --uid")?.metering.details == RecordedDetails(userID: true))
    let file = try #require(try metering("-r file.pcap --mac --mpls 10"))
    let configuration = try file.configuration
    #expect(configuration.details == RecordedDetails(hardwareAddresses: true))
    #expect(configuration.export.recordedLabels == 10)
  }

  @Test("a file is read with -r or --read, and printed as JSON on request", arguments: ["-r", "--read"])
  func file(option: String) throws {
    let meter = try #require(try metering("\(option) capture.pcap --json"))
    #expect(meter.metering.read == "capture.pcap")
    #expect(meter.output.json)
    let standardInput = try metering("-r -")
    #expect(standardInput?.metering.read == "-")
  }

  @Test(
    "a protocol goes by its number and its names",
    arguments: [
      ("10", .ipfix), ("ipfix", .ipfix), ("IPFIX", .ipfix), ("v10", .ipfix), ("9", .netFlow9), ("v9", .netFlow9),
      ("V9", .netFlow9), ("5", .netFlow5), ("v5", .netFlow5),
    ] as [(String, ExportProtocol)])
  func protocols(text: String, expected: ExportProtocol) throws {
    #expect(try metering("-i eth0 --protocol \(text)")?.export.exportProtocol == expected)
  }

  @Test("the words behind the options are the filter, wherever options stand")
  func filterWords() throws {
    #expect(try metering("-i eth0 not port 22")?.filter.expression == "not port 22")
    #expect(try metering("not port 22 -i eth0")?.filter.expression == "not port 22")
    #expect(try metering("-i eth0 -- -x or tcp")?.filter.expression == "-x or tcp")
    let quoted = try Flowprobe.parseAsRoot(["-i", "eth0", "tcp and port 80"]) as? Meter
    #expect(quoted?.filter.expression == "tcp and port 80")
  }

  @Test("destinations come from one list or several, each once")
  func destinations() throws {
    let meter = try Flowprobe.parseAsRoot([
      "-i", "eth0", "--dest", "192.0.2.1,[2001:db8::1]:4739", "--dest", "192.0.2.2 192.0.2.1:2055",
    ])
    let list = try (meter as? Meter)?.configuration.destinations.map(\.description)
    #expect(list == ["192.0.2.1:2055", "[2001:db8::1]:4739", "192.0.2.2:2055"])
  }

  @Test("what a destination does not say the options say, and what they derive from others too")
  func destinationDefaults() throws {
    let meter = try #require(
      try metering(
        "--natevents legacy --sampler r:10 --protocol 9 --profile nfdump --engine-id 7"
          + " --dest 192.0.2.1?protocol=10,hash(192.0.2.2?engine-id=8,192.0.2.3)"))
    let configurations = try meter.configuration.destinations.flatMap { $0.destinations.map(\.configuration) }
    #expect(configurations.map(\.exportProtocol) == [.ipfix, .netFlow9, .netFlow9])
    #expect(configurations.map(\.observationDomain) == [7, 8, 7])
    #expect(configurations.allSatisfy { $0.profile == .nfdump && $0.natEventCodes == .legacy })
    #expect(configurations.allSatisfy { $0.sampling?.interval == 10 && $0.exportRate == 10_000 })
    let file = try #require(try metering("-r f --dest 192.0.2.1,192.0.2.2?export-rate=7"))
    #expect(
      try file.configuration.destinations.flatMap { $0.destinations.map(\.configuration.exportRate) } == [1000, 7])
  }

  @Test("a file is exported at 1000 messages a second, live traffic at 10000, unless told otherwise")
  func exportRate() throws {
    let export = try #require(try metering("-r f --dest 192.0.2.1")).export
    #expect(export.configuration(readsFile: true).exportRate == 1000)
    #expect(export.configuration(readsFile: false).exportRate == 10_000)
    let unlimited = try #require(try metering("-r f --dest 192.0.2.1 --export-rate 0")).export
    #expect(unlimited.configuration(readsFile: true).exportRate == 0)
  }

  @Test("NFLOG groups are numbers, ranges and lists, in the order given")
  func groups() throws {
    let meter = try #require(try metering("--nflog 5 --nflog 1-3,9 --nflog-timeout 250"))
    let configuration = try meter.configuration
    guard case .live(let origins) = configuration.source else {
      Issue.record("the source is \(configuration.source)")
      return
    }
    #expect(origins == [.group(5), .group(1), .group(2), .group(3), .group(9)])
    #expect(configuration.nflog.timeout == .milliseconds(250))
    #expect(configuration.nflog.bufferSize == 64 << 20)
  }

  @Test("--natevents alone means RFC 8158 and completes records; either can be said otherwise")
  func natEvents() throws {
    func configuration(_ arguments: String) throws -> ProbeConfiguration {
      let meter = try #require(try metering(arguments))
      return try meter.configuration
    }
    let plain = try configuration("--natevents")
    #expect((plain.exportsNATEvents, plain.completesRecords) == (true, true))
    #expect(plain.export.natEventCodes == .rfc8158)
    let legacy = try configuration("--natevents legacy --no-nat-fields --nflog 5")
    #expect((legacy.exportsNATEvents, legacy.completesRecords) == (true, false))
    #expect(legacy.export.natEventCodes == .legacy)
    let fields = try configuration("-i eth0 --nat-fields")
    #expect((fields.exportsNATEvents, fields.completesRecords) == (false, true))
    let none = try configuration("-i eth0")
    #expect((none.exportsNATEvents, none.completesRecords) == (false, false))
  }

  @Test("the configuration of the program has what the options say")
  func configuration() throws {
    let meter = try #require(try metering("-r capture.pcap --maxflows 7 --active-timeout 9 --fragments zero udp"))
    let configuration = try meter.configuration
    guard case .file("capture.pcap") = configuration.source else {
      Issue.record("the source is \(configuration.source)")
      return
    }
    #expect(configuration.filter == "udp")
    #expect(configuration.fragments == .zero)
    #expect(configuration.table.maxFlows == 7)
    #expect(configuration.table.expiration.activeTimeout == .seconds(9))
    #expect(configuration.destinations == [])
    #expect(configuration.export.exportRate == 1000)
    #expect(!configuration.printsJSON)
  }

  @Test("statistics files are written where asked for, and by root of an export of live traffic")
  func statistics() throws {
    func directory(_ arguments: String) throws -> String? {
      let meter = try #require(try metering(arguments))
      return try meter.configuration.statisticsDirectory
    }
    #expect(try directory("-i eth0 --stat-dir /tmp/stat") == "/tmp/stat")
    #expect(try directory("-i eth0") == nil)
    #expect(try directory("-i eth0 --dest 192.0.2.1") == (geteuid() == 0 ? "/run/flowprobe/stat" : nil))
    #expect(try directory("-i eth0 --dest 192.0.2.1 --no-stat") == nil)
    #expect(try directory("-r file.pcap --dest 192.0.2.1") == nil)
  }

  @Test("flows or packets are sampled, and collectors are told; by default all are exported")
  func sampling() throws {
    func configuration(_ arguments: String) throws -> ProbeConfiguration {
      let meter = try #require(try metering(arguments))
      return try meter.configuration
    }
    for arguments in ["-i eth0", "-i eth0 --sampler 0"] {
      let none = try configuration(arguments)
      #expect(none.table.sampling == nil && none.export.sampling == nil)
    }
    let empty = try Flowprobe.parseAsRoot(["-i", "eth0", "--sampler", ""]) as? Meter
    #expect(try empty?.metering.selection.sampling() == nil)
    let packets = try configuration("--nflog 5 --packet-sampling 1000 --sampler 0")
    #expect(packets.export.sampling == Sampling(.packets, interval: 1000))
    let hashed = try configuration("-i eth0 --sampler hash:100")
    #expect(hashed.table.sampling == Sampling(.hashedFlows, interval: 100))
    #expect(hashed.export.sampling == Sampling(.hashedFlows, interval: 100))
  }

  @Test("threads run on the processors that are named, those that meter in turn; by default on any")
  func processors() throws {
    let meter = try #require(try metering("-i eth0 --metering-cpu 2,4-6 --exportcpu 1 --hashsize 65536"))
    let configuration = try meter.configuration
    #expect(configuration.meteringProcessors == [2, 4, 5, 6])
    #expect(configuration.exportProcessor == 1)
    #expect(configuration.table.indexSize == 65_536)
    let any = try #require(try metering("-i eth0 --exportcpu -1"))
    let none = try any.configuration
    #expect(none.meteringProcessors == [] && none.exportProcessor == nil && none.table.indexSize == 0)
  }

  @Test("several threads meter each interface, one each group; on processors that are named, or all")
  func threads() throws {
    let meter = try #require(try metering("-i eth0 -i eth1 --nflog 1-3 --threads 4 --metering-cpu 0-2,0"))
    let configuration = try meter.configuration
    #expect((configuration.threads, configuration.meteringThreads) == (4, 11))
    #expect(configuration.processorsForMetering == 3)
    #expect((0..<5).map { configuration.meteringProcessor($0) } == [0, 1, 2, 0, 0])
    let plain = try #require(try metering("-i eth0"))
    let alone = try plain.configuration
    #expect(alone.meteringThreads == 1 && alone.processorsForMetering >= 1)
  }

  @Test(
    "a thread's name fits, and its number stays, also where the interface's is long or of several octets a letter",
    arguments: [
      ("eth0", nil, "meter eth0"), ("eth0", 2, "meter eth0/2"), ("enp134s0f1", 2, "meter 134s0f1/2"),
      ("enp134s0f1np12", 64, "meter f1np12/64"), ("enp134s0f1np12", nil, "meter enp134s0f1np12"),
      ("überlandéé", 7, "meter andéé/7"),
    ] as [(String, Int?, String)])
  func names(source: String, number: Int?, expected: String) {
    #expect(MeteringLane.threadName(source, number) == expected)
  }

  @Test("aggregation rules come from one list or several")
  func aggregation() throws {
    let meter = try #require(try metering("-i eth0 --aggregation 10.0.0.0/8=24,80=1 --aggregation 1-2=3"))
    let configuration = try meter.configuration
    #expect(configuration.selection.aggregation?.rules.map(\.description) == ["10.0.0.0/8=24", "80=1", "1-2=3"])
    #expect(try metering("-i eth0")?.metering.selection.aggregationRules() == nil)
  }

  @Test("list-fields is a command of its own, and needs no interface")
  func listFields() throws {
    #expect(try Flowprobe.parseAsRoot(["list-fields"]) is ListFields)
    #expect(try Flowprobe.parseAsRoot(["meter", "-i", "eth0"]) is Meter)
  }
}
