// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FlowExport
internal import FlowMeter
internal import Glibc
internal import Synchronization

/// What the executable is.
package enum Program {
  /// Does what the process's arguments say.
  package static func run() { Flowprobe.main() }
}

struct Flowprobe: ParsableCommand {
  static let version = "0.1.0"
  static let commands: [any ParsableCommand.Type] = [
    Meter.self, Top.self, Control.self, ListFields.self, Import.self, SNMP.self,
  ]

  static let configuration = CommandConfiguration(
    commandName: "flowprobe",
    abstract: "Meters IP packets into flows and exports them as IPFIX, NetFlow v9 or v5.",
    version: version,
    subcommands: commands,
    defaultSubcommand: Meter.self)

  /// The command line, what its files say in front.
  static let argumentsAtStart = Mutex<[String]>([])

  /// Who asks for help wants the options of the main job, whose name need not be given.
  static func main() {
    // Swift takes the arguments from there.
    guard CommandLine.argc > 0 else {
      Console.say("cannot read the command line: there is no /proc; run 'mount -t proc proc /proc'", .error)
      Glibc.exit(EXIT_FAILURE)
    }
    let arguments = Array(CommandLine.arguments.dropFirst())
    if ["-h", "--help"].contains(arguments.first) {
      print(helpMessage(for: Meter.self))
    } else if let script = CompletedCommandLine.script(arguments) {
      print(script)
    } else {
      do throws(ConfigurationFile.Refusal) {
        let all = try ConfigurationOptions.including(arguments)
        argumentsAtStart.withLock { $0 = all }
        main(NetfilterOptions.completing(all))
      } catch {
        Console.say(error.description, .error)
        Glibc.exit(EX_USAGE)
      }
    }
  }
}

/// The program's main job; the name need not be given.
struct Meter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "meter",
    abstract: "Meters IP packets into flows and exports them as IPFIX, NetFlow v9 or v5.",
    usage: """
      flowprobe -i INTERFACE [-i INTERFACE ...] [--dest LIST] [OPTIONS] [FILTER WORDS]
      flowprobe --nflog GROUPS [--natevents] [--dest LIST] [OPTIONS]
      flowprobe --natevents [--dest LIST] [OPTIONS]
      flowprobe -r FILE [--dest LIST] [OPTIONS] [FILTER WORDS]
      flowprobe --config FILE [OPTIONS]
      flowprobe [OPTIONS] --check
      flowprobe top [--control PATH]
      flowprobe ctl [--control PATH] COMMAND
      flowprobe import FILE ...
      flowprobe list-fields [--profile PROFILE]
      flowprobe snmp [--stat-dir DIRECTORY]
      """,
    discussion: """
      Without --dest, flows are printed on standard output. A summary goes to standard error at the end.

        flowprobe -i eth0 --dest 192.0.2.1:2055
        flowprobe -i eth0 -i eth1 --dest [2001:db8::1]:4739 --protocol v9 not port 22
        flowprobe --nflog 5 --natevents --dest 192.0.2.1:2055
        flowprobe -r capture.pcap
        flowprobe -r capture.pcap --json | jq .octetDeltaCount
      """)

  @OptionGroup(title: "Configuration") var files: ConfigurationOptions
  @OptionGroup(title: "Metering options") var metering: MeteringOptions
  @OptionGroup(title: "Netfilter options") var netfilter: NetfilterOptions
  @OptionGroup(title: "Export options") var export: ExportOptions
  @OptionGroup(title: "Statistics options") var statistics: StatisticsOptions
  @OptionGroup(title: "Control options") var control: ControlOptions
  @OptionGroup(title: "Service options") var service: ServiceOptions
  @OptionGroup(title: "Output options") var output: OutputOptions
  @OptionGroup var filter: FilterWords

  /// Whether the options go together. Asked when the program runs, and not when the options are read: a line of a
  /// configuration file is read alone.
  func checkCombination() throws {
    let isLive = !metering.interfaces.isEmpty || !netfilter.nflog.isEmpty || netfilter.natevents != nil
    guard isLive || metering.read != nil else {
      throw ValidationError(
        "there is nothing to meter; name an interface with -i, an NFLOG group with --nflog or a capture file with -r.")
    }
    guard !isLive && netfilter.natFields != true || metering.read == nil else {
      throw ValidationError(
        "-r excludes -i, --nflog, --natevents and --nat-fields; meter what comes now or read a file.")
    }
    let hasFiltered = !metering.interfaces.isEmpty || metering.read != nil
    guard filter.words.isEmpty || hasFiltered && netfilter.nflog.isEmpty else {
      throw ValidationError(
        "a filter ('\(filter.expression)') applies to -i and -r;"
          + " choose the packets of an NFLOG group in the rule that logs them.")
    }
    guard !metering.mark && !metering.uid || !netfilter.nflog.isEmpty else {
      throw ValidationError("--mark and --uid are known of packets that rules log; name an NFLOG group with --nflog.")
    }
    guard statistics.directory == nil || metering.read == nil else {
      throw ValidationError("--stat-dir tells of live metering, and -r reads a file; its summary comes at the end.")
    }
    guard statistics.metrics == nil && control.control == nil || metering.read == nil else {
      throw ValidationError("--metrics and --control tell of live metering, and -r reads a file.")
    }
    guard export.snmpRules.isEmpty || metering.read == nil else {
      throw ValidationError("--snmp-rules go by the names of this machine's interfaces; a file's packets have none.")
    }
    let destinations = try export.destinations(export.configuration(readsFile: metering.read != nil))
    let needsEvents = destinations.flatMap(\.destinations).first {
      $0.configuration.records.isDisjoint(with: [.flows, .options])
    }
    if let needsEvents, netfilter.natevents == nil {
      throw ValidationError(
        "\(needsEvents) is to get NAT events alone, and none are made; give --natevents, or other records.")
    }
    guard service.chroot == nil || service.user != nil else {
      throw ValidationError("--chroot alone holds nobody, since root leaves it at will; give --user too.")
    }
    guard service.keptCapabilities != .some(.none) || netfilter.natevents == nil && netfilter.natFields != true else {
      throw ValidationError(
        "--keep-capabilities none leaves none to list conntrack's table with, which --natevents and --nat-fields take;"
          + " give one of the two.")
    }
    if output.json, !export.dest.isEmpty {
      throw ValidationError("--json prints flows and --dest exports them; give one of the two.")
    }
  }

  func run() throws {
    try checkCombination()
    let configuration = try ProbeConfiguration(self)
    Signals.begin(reloads: configuration.isReloadable)
    if files.check {
      if Check(configuration, files: files.all).run() { return }
      throw ExitCode.failure
    }
    let table: FlowTable
    do throws(SystemError) {
      table = try FlowTable(configuration.table)
    } catch {
      Console.say(configuration.memoryTrouble(error), .error)
      throw ExitCode.failure
    }
    let succeeded: Bool
    do {
      var service = try Service(configuration, files: files.all)
      let outlets = try ProbeOutlets(configuration)
      let probe = try Probe(configuration, table, outlets)
      try service.confine(configuration, outlets)
      succeeded = probe.run()
      service.end()
    } catch {
      Console.say("\(error)", .error)
      succeeded = false
    }
    if !succeeded { throw ExitCode.failure }
  }
}

/// Prints the Information Elements that Flow Records and NAT events may have.
struct ListFields: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list-fields", abstract: "Prints the information elements that are exported, and exits.")

  @Option(help: ArgumentHelp("Those of this profile.", valueName: "profile"))
  var profile = ExportConfiguration().profile

  func run() {
    let list = FlowFields.list(of: profile)
    let width = list.reduce(0) { max($0, $1.name.count) }
    print("element  \("name".padded(to: -width))  octets  IPFIX  v9")
    for field in list {
      let id = ((field.enterprise.map { "\($0)/" } ?? "") + String(field.id)).padded(to: 7)
      let name = field.name.padded(to: -width)
      let octets = String(field.length).padded(to: 6)
      let marks = [field.isInIPFIX, field.isInNetFlow9].map { $0 ? "yes" : "no" }
      print("\(id)  \(name)  \(octets)  \(marks[0].padded(to: -5))  \(marks[1])")
    }
  }
}
