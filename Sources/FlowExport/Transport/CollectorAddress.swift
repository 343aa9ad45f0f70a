// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// Where a Collector is and from where it is sent to: `addr[:port][@source-addr][%device]`, as ipt_NETFLOW writes it,
/// or a DNS name in place of the address.
public struct CollectorAddress: Hashable, Sendable, CustomStringConvertible {
  /// The UDP port where none is given, as with ipt_NETFLOW.
  public static let defaultPort: UInt16 = 2055

  /// An address, or a name to look up.
  public enum Host: Hashable, Sendable {
    /// An IP address.
    case address(IPAddress, IPVersion)
    /// A DNS name, looked up again every five minutes.
    case name(String)
  }

  /// Where the Collector is.
  public var host: Host
  /// Its port.
  public var port: UInt16
  /// The local address to send from.
  public var source: (address: IPAddress, version: IPVersion)? {
    sourceText.flatMap { IPAddress.parse($0) }
  }
  /// The interface to send by.
  public var device: String?

  private var sourceText: String?

  /// Parses an address.
  ///
  /// An IPv6 address is one with two colons or more; its brackets may be left out, and then the port is set off by
  /// `.`, `p` or `#`.
  ///
  /// - Parameters:
  ///   - entry: what the operator wrote.
  ///   - defaultPort: the port where none is given; default: ``defaultPort``.
  public init(_ entry: String, defaultPort: UInt16 = Self.defaultPort) throws(AddressError) {
    var rest = Substring(entry)
    if let mark = rest.firstIndex(of: "%") {
      device = String(rest[rest.index(after: mark)...])
      rest = rest[..<mark]
      // An interface's name has at most 15 octets (IFNAMSIZ).
      guard let device, (1...15).contains(device.utf8.count) else {
        throw AddressError(entry: entry, reason: "the device behind '%' is no interface name")
      }
    }
    if let mark = rest.firstIndex(of: "@") {
      let text = rest[rest.index(after: mark)...].filter { !"[]".contains($0) }
      guard IPAddress.parse(text) != nil else {
        throw AddressError(entry: entry, reason: "'\(text)' behind '@' is no IP address")
      }
      sourceText = text
      rest = rest[..<mark]
    }
    let (hostText, portText) = try Self.split(rest, entry)
    if let portText {
      guard portText.allSatisfy(\.isWholeNumber), let number = UInt16(portText), number != 0 else {
        throw AddressError(entry: entry, reason: "'\(portText)' is no port from 1 to 65535")
      }
      port = number
    } else {
      port = defaultPort
    }
    host = try Self.parseHost(hostText, entry)
    if case .address(_, let version) = host, let source, source.version != version {
      throw AddressError(entry: entry, reason: "source and destination are of different IP versions")
    }
  }

  private static func split(
    _ text: Substring, _ entry: String
  ) throws(AddressError) -> (host: Substring, port: Substring?) {
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else {
        throw AddressError(entry: entry, reason: "the bracket is not closed")
      }
      let host = text[text.index(after: text.startIndex)..<close]
      let behind = text[text.index(after: close)...]
      if behind.isEmpty { return (host, nil) }
      guard let mark = behind.first, ":.p#".contains(mark) else {
        throw AddressError(entry: entry, reason: "'\(behind)' behind the bracket is no port")
      }
      return (host, behind.dropFirst())
    }
    let isIPv6 = text.filter { $0 == ":" }.count >= 2
    let marks = isIPv6 ? ".p#" : ":"
    // An IPv6 address may end in dotted IPv4 notation: a port is split off only if an address remains.
    guard let mark = text.lastIndex(where: { marks.contains($0) }), !isIPv6 || IPAddress.parse(String(text)) == nil
    else { return (text, nil) }
    return (text[..<mark], text[text.index(after: mark)...])
  }

  private static func parseHost(_ text: Substring, _ entry: String) throws(AddressError) -> Host {
    let text = String(text)
    if let (address, version) = IPAddress.parse(text) { return .address(address, version) }
    let isName =
      !text.isEmpty && text.utf8.count <= 253
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }
      && text.contains { $0.isLetter } && text.first != "-"
    guard isName else {
      throw AddressError(entry: entry, reason: "'\(text)' is neither an IP address nor a host name")
    }
    return .name(text)
  }

  /// As ipt_NETFLOW prints it: `a.b.c.d:port`, `[address]:port`, then `@source`, then `%device`.
  public var description: String {
    let hostText =
      switch host {
      case .address(let address, .v4): address.text(.v4)
      case .address(let address, let version): "[\(address.text(version))]"
      case .name(let name): name
      }
    let sourceText = sourceText.map { $0.contains(":") ? "@[\($0)]" : "@\($0)" } ?? ""
    return "\(hostText):\(port)\(sourceText)\(device.map { "%\($0)" } ?? "")"
  }
}

/// A destination that cannot be understood.
public struct AddressError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was written.
  public var entry: String
  /// What is wrong with it.
  public var reason: String
  /// What to do.
  public var advice: String

  /// A reason in words for the operator, and what to do.
  public init(entry: String, reason: String, advice: String = Self.addressAdvice) {
    (self.entry, self.reason, self.advice) = (entry, reason, advice)
  }

  /// How addresses are written.
  public static let addressAdvice =
    "write address[:port][@source][%device], such as 192.0.2.1:2055 or [2001:db8::1]:2055"

  public var description: String { "cannot use destination '\(entry)': \(reason); \(advice)" }
}
