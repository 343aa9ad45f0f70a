// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import FlowExport
internal import FlowMeter

/// Where flows go and in which form.
struct ExportOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Export to these collectors: address[:port][@source][%device], apart by commas; may be given several times.",
      valueName: "list"))
  var dest: [String] = []

  @Option(
    name: .customLong("protocol"),
    help: ArgumentHelp("10 or ipfix, 9 or v9, 5 or v5.", valueName: "protocol"))
  var exportProtocol = ExportProtocol.ipfix

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
    _ = try destinations()
    _ = try interfaceIndexRules()
    try MeteringOptions.check("--refresh-rate", refreshRate, 1...1_000_000)
    try MeteringOptions.check("--timeout-rate", timeoutRate, 1...10_000)
    try MeteringOptions.check("--exportcpu", exportcpu, -1...MeteringOptions.lastProcessor)
    try MeteringOptions.check("--sndbuf", sndbuf, 0...Int(Int32.max))
    try MeteringOptions.check("--export-rate", exportRate ?? 0, 0...1_000_000_000)
  }

  func interfaceIndexRules() throws -> InterfaceIndexRules? {
    do throws(SelectionError) {
      return try InterfaceIndexRules.parse(snmpRules)
    } catch {
      throw ValidationError(error.description)
    }
  }

  func destinations() throws -> [CollectorAddress] {
    var list: [CollectorAddress] = []
    for text in dest {
      do throws(AddressError) {
        for address in try CollectorAddress.list(text) { list.appendUnlessRepeated(address) }
      } catch {
        throw ValidationError(error.description)
      }
    }
    return list
  }

  func configuration(readsFile: Bool) -> ExportConfiguration {
    var configuration = ExportConfiguration()
    configuration.exportProtocol = exportProtocol
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
  public init?(argument: String) {
    switch argument.lowercased() {
    case "10", "v10", "ipfix": self = .ipfix
    case "9", "v9": self = .netFlow9
    case "5", "v5": self = .netFlow5
    default: return nil
    }
  }

  public var defaultValueDescription: String { "\(rawValue)" }
  public static var allValueStrings: [String] { ["10", "9", "5"] }
}

/// How flows are shown where they are not exported.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON object a flow, with the IANA names of the information elements.")
  var json = false
}
