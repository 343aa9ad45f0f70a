// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FuzzChecks

/// Exports records, reads every message back and holds what it tells against what went in.
struct CheckedExport: ~Copyable {
  private enum Form {
    case messages(FlowMessageEncoder, MessageReader)
    case json(FlowJSONEncoder)
  }

  private var form: Form
  private var rejected = FlowTotals()
  private var printed = FlowTotals()

  /// - Parameters:
  ///   - choice: 0 IPFIX, 1 NetFlow v9, 2 NetFlow v5, else JSON.
  ///   - refreshRate: messages between two refreshes of the templates; nil: the default.
  init(_ choice: UInt8, refreshRate: Int?) {
    var configuration = ExportConfiguration()
    if let refreshRate { configuration.refreshRate = refreshRate }
    switch choice {
    case 0: configuration.exportProtocol = .ipfix
    case 1: configuration.exportProtocol = .netFlow9
    case 2: configuration.exportProtocol = .netFlow5
    default:
      form = .json(FlowJSONEncoder())
      return
    }
    form = .messages(FlowMessageEncoder(configuration), MessageReader(configuration.exportProtocol))
  }

  mutating func export(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
    switch form {
    case .messages(let encoder, let reader):
      rejected.add(encoder.encode(records, at: instant) { reader.read($0) })
    case .json(var encoder):
      for i in 0..<records.count {
        let line = encoder.encode(records[i])
        require(line.utf8.first == UInt8(ascii: "{") && line.utf8.last == UInt8(ascii: "}"), "no JSON object")
        printed.add(FlowTotals(flows: 1, packets: records[i].packets, octets: records[i].octets))
      }
      form = .json(encoder)
    }
  }

  func flush(at instant: ExportInstant) {
    if case .messages(let encoder, let reader) = form { encoder.flush(at: instant) { reader.read($0) } }
  }

  /// The messages told of all these Flows, but for those that the protocol cannot carry.
  func checkComplete(_ taken: FlowTotals) {
    var told = rejected
    switch form {
    case .messages(_, let reader): told.add(reader.flows)
    case .json: told.add(printed)
    }
    // A Flow that counts more than NetFlow v5 can say leaves as several records.
    require(told.flows >= taken.flows, "Flow Records were not exported")
    require(told.packets == taken.packets, "packets are missing from the messages")
    require(told.octets == taken.octets, "octets are missing from the messages")
  }
}
