// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: stands in for a function of the C library, whose pointers it does not use.

@testable internal import FlowExport
internal import FlowMeter
internal import FuzzChecks
public import Glibc

/// One input of fuzz-destination: a list of destinations as an operator writes it, groups, parameters and filters
/// included.
struct DestinationRun {
  private let text: String

  init(_ octets: UnsafeRawBufferPointer) { text = unsafe String(decoding: octets, as: UTF8.self) }

  func run() {
    guard let entries = try? DestinationEntry.list([text], defaults: ExportConfiguration()) else { return }
    require(!entries.isEmpty, "a list that was taken has no destination")
    var names: Set<String> = []
    for entry in entries {
      if case .group(let group) = entry { require(!group.members.isEmpty, "a group without members") }
      for destination in entry.destinations {
        require(names.insert(destination.description).inserted, "two destinations have the same name")
        check(destination)
      }
    }
  }

  /// Written down a Collector by UDP is the same destination; its filter can be asked.
  private func check(_ destination: ExportDestination) {
    if case .udp(let address) = destination.target { checkText(destination, Self.text(destination, address)) }
    checkFilter(destination)
  }

  private func checkText(_ destination: ExportDestination, _ written: String) {
    guard var again = try? ExportDestination(written) else {
      return require(false, "a destination that was taken is refused when it is written down")
    }
    again.number = destination.number
    require(again == destination, "a destination changes when it is written down")
  }

  private func checkFilter(_ destination: ExportDestination) {
    guard let filter = destination.configuration.filter else { return }
    var packet = SyntheticPacket()
    for (version, number) in [(IPVersion.v4, IPProtocol.tcp), (.v4, .icmp), (.v6, .udp), (.v6, .esp)] {
      var record = FlowRecord()
      (record.key.version, record.key.protocol, record.packets, record.octets) = (version, number, 1, 1500)
      packet.describe(record)
      _ = packet.isMatched(by: filter)
    }
  }

  private static func text(_ destination: ExportDestination, _ address: CollectorAddress) -> String {
    let configuration = destination.configuration
    let records = zip(ExportedRecords.allWords, [ExportedRecords.flows, .natEvents, .options])
      .filter { configuration.records.contains($0.1) }.map(\.0).joined(separator: "+")
    var text =
      "udp://\(address)/?protocol=\(configuration.exportProtocol.rawValue)&records=\(records)"
      + "&profile=\(configuration.profile.rawValue)&engine-id=\(configuration.observationDomain)"
      + "&refresh-rate=\(configuration.refreshRate)&timeout-rate=\(configuration.timeoutRate)"
      + "&export-rate=\(configuration.exportRate)&sndbuf=\(configuration.sendBuffer)"
    if let filter = configuration.filter {
      text += "&filter=" + filter.expression.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    return text
  }
}

/// In place of the system's: a filter may name hosts, and a fuzzer asks nobody for them.
@_cdecl("getaddrinfo")
public func noAddresses(
  _ name: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>?, _ hints: UnsafePointer<addrinfo>?,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>?
) -> CInt { EAI_NONAME }
