// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import FlowExport
internal import FlowMeter

/// Where flows go and in which form.
struct ExportOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Export to these collectors: address[:port][@source][%device], apart by commas; may be given several times. \
      tcp://address and tls://address deliver IPFIX reliably. One with parameters of its own is \
      udp://address?name=value&name=value. Files instead are \
      file:///directory/name, where a name with times (%Y%m%d-%H%M) makes a new one every hour. Parameters are \
      \(ExportDestination.parameterNames.joined(separator: ", ")). Groups: hash(list), round-robin(list), failover(list), \
      mirror(list).
      """, valueName: "list"))
  var dest: [String] = []

  @Option(
    name: .customLong("protocol"),
    help: ArgumentHelp("\(ExportProtocol.words).", valueName: "protocol"))
  var exportProtocol = ExportConfiguration().exportProtocol

  @Option(help: ArgumentHelp("Which fields collectors get, by what they are; see list-fields.", valueName: "profile"))
  var profile = ExportConfiguration().profile

  @Option(
    name: .customLong("engine-id"),
    help: ArgumentHelp(
      "Observation domain id (v9: source id; v5: engine id, its low octet). Default: derived from the machine's id.",
      valueName: "number"))
  var engineID: UInt32?

  @Option(
    name: .customLong("refresh-rate"),
    help: ArgumentHelp("Send the templates again after this many messages, 1 to 1000000.", valueName: "messages"))
  var refreshRate = ExportConfiguration().refreshRate

  @Option(
    name: .customLong("timeout-rate"),
    help: ArgumentHelp("Send the templates again after this long, 1 to 10000.", valueName: "minutes"))
  var timeoutRate = ExportConfiguration().timeoutRate

  @Option(
    help: ArgumentHelp("The send buffer of a destination's socket; 0 is the system's.", valueName: "octets"))
  var sndbuf = ExportConfiguration().sendBuffer

  @Option(
    name: .customLong("export-rate"),
    help: ArgumentHelp(
      "Messages a second to each destination, at most; 0 is without limit. Default: "
        + "\(ExportConfiguration().exportRate), and \(Self.fileExportRate) where a file is read.",
      valueName: "messages"))
  var exportRate: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Run the exporting thread on this processor; -1 is any.", valueName: "processor"))
  var exportcpu = -1

  @Option(
    name: .customLong("snmp-rules"),
    help: ArgumentHelp(
      """
      Export interfaces under other indexes, by rules apart by commas: prefix:base makes those whose names begin so \
      the base plus the number behind the prefix.
      """, valueName: "rules"))
  var snmpRules = ""

  /// A file is read far faster than its packets came: slow enough for any collector with a default socket buffer.
  static let fileExportRate = 1000

  func validate() throws {
    try MeteringOptions.check("--refresh-rate", refreshRate, ExportConfiguration.refreshRates)
    try MeteringOptions.check("--timeout-rate", timeoutRate, ExportConfiguration.timeoutRates)
    try MeteringOptions.check("--exportcpu", exportcpu, -1...MeteringOptions.lastProcessor)
    try MeteringOptions.check("--sndbuf", sndbuf, ExportConfiguration.sendBuffers)
    try MeteringOptions.check("--export-rate", exportRate ?? 0, ExportConfiguration.exportRates)
    guard profile.suits(exportProtocol) else {
      throw ValidationError(
        "--profile \(profile.rawValue) is of IPFIX and --protocol \(exportProtocol.rawValue) is not; give one of the two."
      )
    }
    _ = try destinations(configuration(readsFile: false))
    _ = try interfaceIndexRules()
  }

  func interfaceIndexRules() throws -> InterfaceIndexRules? {
    do throws(SelectionError) {
      return try InterfaceIndexRules.parse(snmpRules)
    } catch {
      throw ValidationError(error.description)
    }
  }

  /// - Parameter defaults: what holds where a destination does not say otherwise: ``configuration(readsFile:)``,
  ///   complete.
  func destinations(_ defaults: ExportConfiguration) throws -> [DestinationEntry] {
    guard !dest.isEmpty else { return [] }
    do throws(AddressError) {
      return try DestinationEntry.list(dest, defaults: defaults)
    } catch {
      throw ValidationError(error.description)
    }
  }

  func configuration(readsFile: Bool) -> ExportConfiguration {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = exportProtocol
    configuration.profile = profile
    configuration.observationDomain = engineID ?? MachineIdentity.observationDomain
    configuration.refreshRate = refreshRate
    configuration.timeoutRate = timeoutRate
    configuration.sendBuffer = sndbuf
    configuration.exportRate = exportRate ?? (readsFile ? Self.fileExportRate : configuration.exportRate)
    configuration.program = "flowprobe \(Flowprobe.version)"
    return configuration
  }
}

extension ExportProtocol: ExpressibleByArgument {
  public init?(argument: String) { self.init(word: argument) }

  public var defaultValueDescription: String { "\(rawValue)" }
  public static var allValueStrings: [String] { ["10", "9", "5"] }
}

extension FieldProfile: ExpressibleByArgument {}

/// How flows are shown where they are not exported.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON object a flow, with the IANA names of the information elements.")
  var json = false
}
