// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// How an Exporting Process exports to one destination, and what.
public struct ExportConfiguration: Hashable, Sendable {
  /// Default IPFIX.
  public var exportProtocol = ExportProtocol.ipfix

  /// Default all.
  public var records = ExportedRecords.all

  /// Default the fields that every collector decodes.
  public var profile = FieldProfile.generic

  /// Which Flow Records and NAT events are exported; nil, the default: all.
  public var filter: FlowFilter?

  /// The Observation Domain ID; v9's Source ID; its low octet is v5's engine id.
  ///
  /// Should differ between probes: some collectors keep templates by it alone. Default 0.
  public var observationDomain: UInt32 = 0

  /// How many messages with data are sent between two refreshes of the templates. Default 20.
  public var refreshRate = 20
  /// What it can be.
  public static let refreshRates = 1...1_000_000

  /// How long it takes at most between two refreshes of the templates. Minutes; default 30.
  public var timeoutRate = 30
  /// What it can be.
  public static let timeoutRates = 1...10_000

  /// The send buffer of a socket. Octets; default 0: the system's.
  public var sendBuffer = 0
  /// What it can be.
  public static let sendBuffers = 0...Int(Int32.max)

  /// How many messages are sent a second at most. Default 10 000; 0 sends without limit.
  public var exportRate = 10_000
  /// What it can be.
  public static let exportRates = 0...1_000_000_000

  /// When files end, where it is files that are exported to.
  public var file = FileRules()

  /// Which numbers stand for NAT events. Default those of RFC 8158.
  public var natEventCodes = NATEventCodes.rfc8158

  /// How many sections of an MPLS label stack the records of labelled Flows have: as many as are metered. Default 0.
  public var recordedLabels = 0

  /// How what is exported was chosen, for collectors to know; nil, the default: it is all.
  public var sampling: Sampling?

  /// How messages wait for a Collector over TCP or TLS.
  public var delivery = DeliveryConfiguration()

  /// What TLS needs to know.
  public var tls = TLSConfiguration()

  /// Name and version of the program, for the options records.
  public var program = "FlowExport"

  public init() {}

  /// Octets of a message at most, whatever the path would take: several collectors read no more, and a default
  /// Ethernet takes it. A full NetFlow v5 message has 1464.
  var longestMessage: Int { exportProtocol == .netFlow5 ? 1464 : 1420 }
}

/// What the rest of the program knows and the options records tell.
public struct ExporterContext: Sendable {
  /// When the program started, by the wall clock.
  public var started = Timestamp(milliseconds: 0)
  /// Flow Records that the table began.
  public var observedFlows: UInt64 = 0
  /// Packets lost before they were metered: kernel drops and undecodable ones.
  public var ignoredPackets: UInt64 = 0
  /// Flow Records that the table could not keep until they were exported.
  public var lostInTable = FlowTotals()
  /// What sampling was given: Flows and packets, as far as the method knows them.
  public var offered = FlowTotals()
  /// What of that sampling took.
  public var selected = FlowTotals()
  /// The interfaces that packets are observed on.
  public var interfaces: [ObservedInterface] = []

  public init() {}
}

/// What an operator wants to hear of while an exporter runs.
public enum ExportEvent: Sendable, CustomStringConvertible {
  /// Messages could not be sent: how often since it was last told, at most once a minute.
  case cannotSend(destination: ExportDestination, reason: String, times: Int)
  /// A destination's name now has another address.
  case moved(destination: ExportDestination, to: String)
  /// A Collector takes messages again.
  case connected(destination: ExportDestination)
  /// Messages are lost, with these Flow Records, since they could not wait any more.
  case lost(destination: ExportDestination, ExportError.Kind, FlowTotals, UInt64)
  /// Something is to be said of a destination's spool.
  case spool(destination: ExportDestination, String)
  /// Of a destination's files.
  case file(FileEvent)

  public var description: String {
    switch self {
    case .cannotSend(let destination, let reason, let times):
      "cannot \(destination.isFiles ? "write to" : "send to collector") \(destination): \(reason)"
        + (times > 1 ? " (\(times) times in the last minute)" : "")
        + (destination.isFiles
          ? "; flowprobe's user must be able to write to the directory, and there must be room" : "")
    case .moved(let destination, let address):
      "collector \(destination) is at \(address) now"
    case .connected(let destination): "collector \(destination) takes messages again"
    case .lost(let destination, let kind, let records, let messages):
      "lost on the way to collector \(destination): \(records.flows) flows in \(messages) messages, as "
        + Self.reason(kind, destination.configuration.delivery)
    case .spool(let destination, let text): "collector \(destination): \(text)"
    case .file(let event): event.description
    }
  }

  private static func reason(_ kind: ExportError.Kind, _ delivery: DeliveryConfiguration) -> String {
    switch kind {
    case .queueFull:
      delivery.spool == nil
        ? "its queue of \(delivery.queue) octets is full; a larger one (queue=OCTETS) or a spool (spool=DIRECTORY) holds more"
        : "its queue of \(delivery.queue) octets is full, and its spool slower; a larger one (queue=OCTETS) holds more"
    case .spoolFull: "its spool of \(delivery.spoolSize) octets is full; a larger one (spool-size=OCTETS) holds more"
    case .spool: "its spool cannot be used"
    case .notDelivered: "there was no time left; a spool (spool=DIRECTORY) keeps them for the next start"
    case .connect, .bufferFull, .other: "they could not be sent"
    }
  }
}
