// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
internal import FlowExport
public import FlowMeter

/// Where packets come from and how they become flows.
struct MeteringOptions: ParsableArguments {
  @Option(
    name: [.short, .customLong("interface")], help: "Capture on this interface; may be given several times.",
    completion: .shellCommand("echo any; ls /sys/class/net"))
  var interfaces: [String] = []

  @Option(
    name: [.short, .customLong("read")],
    help: ArgumentHelp("Read this capture file (pcap or pcapng); '-' is standard input.", valueName: "file"),
    completion: .file())
  var read: String?

  @Flag(inversion: .prefixedNo, help: "Take frames for other hosts too.")
  var promisc = CaptureInterface.Configuration().promiscuous

  @Option(help: ArgumentHelp("How much of a frame to capture, 64 to 262144.", valueName: "octets"))
  var snaplen = CaptureInterface.Configuration().snapLength

  @Option(
    name: [.customShort("B"), .customLong("buffer-size")],
    help: ArgumentHelp(
      "The capture buffer of an interface, over all its threads, or of an NFLOG group; 64 to 2097151.", valueName: "KiB"
    ))
  var bufferSize = CaptureInterface.Configuration().bufferSize / 1024

  @Option(
    name: .customLong("active-timeout"),
    help: ArgumentHelp("Report a flow that goes on after this long, 1 to 86400.", valueName: "seconds"))
  var activeTimeout = Int(FlowExpiration().activeTimeout.components.seconds)

  @Option(
    name: .customLong("inactive-timeout"),
    help: ArgumentHelp("End a flow that is silent this long, 1 to 86400.", valueName: "seconds"))
  var inactiveTimeout = Int(FlowExpiration().inactiveTimeout.components.seconds)

  @Option(
    help: ArgumentHelp(
      "How many flows to hold, at most; beyond it the flow nearest to its end leaves early. 1 to 1073741824.",
      valueName: "flows"))
  var maxflows = FlowTable.Configuration().maxFlows

  @Option(
    help: ArgumentHelp(
      "How many entries the index of the flows has at the start, up to 1073741824; it grows by itself. 0 is automatic.",
      valueName: "entries"))
  var hashsize = FlowTable.Configuration().indexSize

  @Option(
    help: ArgumentHelp(
      """
      How many threads meter each interface, 1 to \(mostThreads): the kernel spreads the packets over them by conversation. An NFLOG \
      group has one.
      """, valueName: "count"))
  var threads = 1
  static let mostThreads = 64

  @Option(
    name: .customLong("metering-cpu"),
    help: ArgumentHelp(
      "Run the metering threads on these processors, in turn: numbers and ranges, apart by commas.", valueName: "list"))
  var meteringCPU: String?

  @Option(
    help: ArgumentHelp(
      "Count later fragments to their first one's flow (track), or to one with ports 0 (zero).",
      valueName: "track|zero"))
  var fragments = FragmentHandling.track

  @Flag(help: "Record the MAC addresses of a flow's first packet, where frames have them.")
  var mac = false

  @Flag(
    help: """
      Record the packet mark of a flow's first packet; only with --nflog. IPFIX alone has it, in an element of the \
      netfilter project's, for which Logstash and others drop the template.
      """)
  var mark = false

  @Flag(help: "Record the user whose socket sent a flow's first packet; only with --nflog.")
  var uid = false

  @Option(
    help: ArgumentHelp(
      """
      Tell flows apart by their MPLS labels too, and record so many entries of a label stack, 1 to 10; 0 is none. With \
      NetFlow v9, Logstash drops the template of labelled flows, but for --profile logstash.
      """, valueName: "entries"))
  var mpls = ExportConfiguration().recordedLabels

  @OptionGroup(title: "Selection options") var selection: SelectionOptions

  func validate() throws {
    if let twice = interfaces.first(where: { name in interfaces.filter { $0 == name }.count > 1 }) {
      throw ValidationError("interface '\(twice)' is given twice; every packet would be counted twice.")
    }
    try Self.check("--snaplen", snaplen, 64...262_144)
    try Self.check("--buffer-size", bufferSize, 64...2_097_151)
    try Self.check("--threads", threads, 1...Self.mostThreads)
    try Self.check("--active-timeout", activeTimeout, 1...86_400)
    try Self.check("--inactive-timeout", inactiveTimeout, 1...86_400)
    try Self.check("--maxflows", maxflows, 1...1 << 30)
    try Self.check("--mpls", mpls, 0...MPLSLabelStack.mostEntries)
    try Self.check("--hashsize", hashsize, 0...1 << 30)
    _ = try meteringProcessors()
  }

  /// A processor for each metering thread, in turn; empty: they run on any.
  func meteringProcessors() throws -> [Int] {
    guard let meteringCPU else { return [] }
    return try meteringCPU.split(separator: ",", omittingEmptySubsequences: false).flatMap { part in
      guard let range = ClosedRange(numbers: part), range.upperBound <= Self.lastProcessor else {
        throw ValidationError(
          "'\(part)' is no processor; give a number from 0 to \(Self.lastProcessor), or a range as in 1-3.")
      }
      return range.map { Int($0) }
    }
  }

  /// The system's sets of processors have 1024 (cpu_set_t).
  static let lastProcessor = 1023

  static func check(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    guard !range.contains(value) else { return }
    throw ValidationError("\(option) \(value) is out of range; give \(range.lowerBound) to \(range.upperBound).")
  }

  var expiration: FlowExpiration {
    var expiration = FlowExpiration()
    expiration.activeTimeout = .seconds(activeTimeout)
    expiration.inactiveTimeout = .seconds(inactiveTimeout)
    return expiration
  }

  var details: RecordedDetails { RecordedDetails(hardwareAddresses: mac, mark: mark, userID: uid) }

  func capture(_ filter: FilterWords) -> CaptureInterface.Configuration {
    var capture = CaptureInterface.Configuration()
    capture.promiscuous = promisc
    capture.snapLength = snaplen
    capture.bufferSize = bufferSize * 1024
    capture.filter = filter.expression
    capture.details = details
    return capture
  }
}

extension FragmentHandling: ExpressibleByArgument {}

/// The words behind the options.
struct FilterWords: ParsableArguments {
  @Argument(
    parsing: .remaining,
    help: ArgumentHelp("Meter only packets that match, as for tcpdump: see pcap-filter(7).", valueName: "filter"))
  var words: [String] = []

  var expression: String { words.joined(separator: " ") }
}
