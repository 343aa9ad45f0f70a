// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// What of the options asked for the export protocol does not carry.
enum ProtocolFindings {
  /// - Parameter ipv6: the sources that IPv6 is to be expected from.
  static func missing(_ configuration: ProbeConfiguration, ipv6: [String]) -> [Finding] {
    configuration.exportProtocols.flatMap { missing($0, configuration, ipv6: ipv6) }
  }

  private static func missing(
    _ exportProtocol: ExportProtocol, _ configuration: ProbeConfiguration, ipv6: [String]
  ) -> [Finding] {
    let details = configuration.details
    switch exportProtocol {
    case .ipfix: return []
    case .netFlow9:
      return details.mark ? [.notice("NetFlow v9 does not carry the mark (--mark); --protocol 10 does")] : []
    case .netFlow5:
      var lost: [String] = []
      if details.hardwareAddresses { lost.append("MAC addresses (--mac)") }
      if details.mark { lost.append("the mark (--mark)") }
      if details.userID { lost.append("the user (--uid)") }
      if configuration.export.recordedLabels > 0 { lost.append("MPLS labels (--mpls)") }
      if configuration.completesRecords { lost.append("translated addresses of flows (--nat-fields)") }
      var findings: [Finding] = []
      if !lost.isEmpty {
        findings.append(.notice("NetFlow v5 does not carry \(lost.joined(separator: ", ")); --protocol 10 does"))
      }
      if !ipv6.isEmpty {
        findings.append(
          .notice(
            "NetFlow v5 carries no IPv6, which \(ipv6.joined(separator: " and ")) \(ipv6.count == 1 ? "has" : "have"):"
              + " those flows are metered and not exported; --protocol 9 or 10 carries them"))
      }
      return findings
    }
  }
}

extension ProbeConfiguration {
  /// Those of the destinations, each once.
  var exportProtocols: [ExportProtocol] {
    let all = Set(destinations.flatMap(\.destinations).map(\.configuration.exportProtocol))
    return ExportProtocol.allCases.filter(all.contains)
  }
}
