// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import FlowExport
internal import FlowMeter
internal import FlowNetfilter

/// What is taken from the kernel's packet filter: packets that rules log, and the translations of connections.
struct NetfilterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Meter what rules log to these NFLOG groups: numbers and ranges, apart by commas; may be given several times.",
      valueName: "groups"))
  var nflog: [String] = []

  @Option(
    name: .customLong("nflog-size"),
    help: ArgumentHelp("How much of a logged packet the kernel copies, 64 to 65531.", valueName: "octets"))
  var copyLength = NFLogSource.Configuration().copyLength

  @Option(
    name: .customLong("nflog-threshold"),
    help: ArgumentHelp(
      "How many logged packets fill a message, 1 to 65535; a rule's own threshold may make it less.",
      valueName: "packets"))
  var threshold = NFLogSource.Configuration().threshold

  @Option(
    name: .customLong("nflog-timeout"),
    help: ArgumentHelp("How long a part-filled message waits, 10 to 1000.", valueName: "milliseconds"))
  var timeout = Int(NFLogSource.Configuration().timeout.milliseconds)

  @Option(
    name: .customLong("nflog-message"),
    help: ArgumentHelp("The room for a message of logged packets, 4096 to 131072.", valueName: "octets"))
  var messageSize = NFLogSource.Configuration().messageSize

  @Option(
    help: ArgumentHelp(
      "Export the beginning and the end of translated connections: natEvent 4 and 5 (RFC 8158), or 1 and 2 (legacy).",
      valueName: "rfc8158|legacy"))
  var natevents: NATEventCodes?

  @Flag(
    name: .customLong("nat-fields"), inversion: .prefixedNo,
    help: ArgumentHelp(
      "Complete flow records of translated connections with the addresses and ports behind the translation."
        + " Default: with --natevents."))
  var natFields: Bool?

  @Option(
    name: .customLong("nat-buffer"),
    help: ArgumentHelp("The buffer for conntrack's events, 64 to 2097151.", valueName: "KiB"))
  var natBuffer = ConntrackEvents.Configuration().bufferSize / 1024

  @Option(
    name: .customLong("nat-connections"),
    help: ArgumentHelp(
      "How many translated connections to follow, at most; of others events are exported, and no flow record is"
        + " completed. 1024 to 100000000.", valueName: "connections"))
  var natConnections = NATTable.Configuration().capacity

  /// Below it headers are cut.
  static let copyLengths = 64...65_531

  func validate() throws {
    _ = try groups()
    try MeteringOptions.check("--nat-connections", natConnections, 1024...100_000_000)
    try MeteringOptions.check("--nat-buffer", natBuffer, 64...2_097_151)
    try MeteringOptions.check("--nflog-size", copyLength, Self.copyLengths)
    try MeteringOptions.check("--nflog-threshold", threshold, 1...65_535)
    try MeteringOptions.check("--nflog-timeout", timeout, 10...1000)
    try MeteringOptions.check("--nflog-message", messageSize, 4096...131_072)
  }

  /// The groups in the order in which they were given.
  func groups() throws -> [UInt16] {
    var groups: [UInt16] = []
    for part in nflog.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      guard let range = ClosedRange(numbers: part) else {
        throw ValidationError("'\(part)' is no NFLOG group; give a number from 0 to 65535, or a range as in 1-4.")
      }
      guard groups.count + range.count <= Self.mostGroups else {
        throw ValidationError(
          "these are more than \(Self.mostGroups) NFLOG groups, and each has a thread; give fewer.")
      }
      for group in range {
        guard !groups.contains(group) else {
          throw ValidationError("NFLOG group \(group) is given twice; a group has one listener.")
        }
        groups.append(group)
      }
    }
    return groups
  }

  /// A range that was meant otherwise must not start ten thousand threads.
  private static let mostGroups = 256

  func source(bufferSize: Int, _ details: RecordedDetails) -> NFLogSource.Configuration {
    var configuration = NFLogSource.Configuration()
    configuration.copyLength = copyLength
    configuration.threshold = threshold
    configuration.timeout = .milliseconds(timeout)
    configuration.messageSize = messageSize
    configuration.bufferSize = bufferSize
    configuration.details = details
    return configuration
  }

  /// Whether flow records are completed: where events are followed anyway it costs next to nothing.
  var completesRecords: Bool { natFields ?? (natevents != nil) }

  var conntrack: ConntrackEvents.Configuration {
    var configuration = ConntrackEvents.Configuration()
    configuration.bufferSize = natBuffer * 1024
    return configuration
  }
}

extension NetfilterOptions {
  /// The arguments with the value of `--natevents` put in where it is left out: the parser's own way to leave it out
  /// (defaultAsFlag) forgets a value that is given with `=` as well.
  static func completing(_ arguments: [String]) -> [String] {
    var completed: [String] = []
    for (place, argument) in arguments.enumerated() {
      completed.append(argument)
      let next = arguments.dropFirst(place + 1).first.flatMap { NATEventCodes(rawValue: $0) }
      if argument == "--natevents", next == nil { completed.append(NATEventCodes.rfc8158.rawValue) }
    }
    return completed
  }
}

extension NATEventCodes: ExpressibleByArgument {}
