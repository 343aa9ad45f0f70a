// SPDX-License-Identifier: Apache-2.0

/// Why packets cannot be observed. The description is one sentence for the operator that says what to do.
public enum CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The interface cannot be opened.
  case interface(name: String, reason: String, advice: String)
  /// The file cannot be opened, or is no capture.
  case file(name: String, reason: String)
  /// The file ends or breaks within a packet, after all that came before was delivered.
  case damagedFile(name: String, reason: String)
  /// libpcap does not understand the filter.
  case filter(expression: String, reason: String)
  /// A facility of Netfilter (an NFLOG group, the conntrack events) cannot be opened.
  case netfilter(object: String, reason: String, advice: String)
  /// Frames of this kind are not decoded.
  case linkType(object: String, name: String)

  public var description: String {
    switch self {
    case .interface(let name, let reason, let advice):
      "cannot capture on interface '\(name)': \(reason); \(advice)"
    case .file(let name, let reason):
      "cannot read capture file '\(name)': \(reason); give a file in pcap or pcapng format"
    case .damagedFile(let name, let reason):
      "capture file '\(name)' is damaged: \(reason); what stood before was metered"
    case .filter(let expression, let reason):
      "cannot use filter '\(expression)': \(reason); see 'man pcap-filter'"
    case .netfilter(let object, let reason, let advice):
      "cannot open \(object): \(reason); \(advice)"
    case .linkType(let object, let name):
      "cannot meter '\(object)': its link type \(name) is not decoded; capture on an Ethernet, PPP, cooked or raw IP interface"
    }
  }
}
