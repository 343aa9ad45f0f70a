// SPDX-License-Identifier: Apache-2.0

/// What a destination's messages go to, and by which way.
public enum DestinationTarget: Hashable, Sendable, CustomStringConvertible {
  /// A Collector, by datagrams (RFC 7011 section 10.3).
  case udp(CollectorAddress)
  /// A Collector, by a TCP connection (RFC 7011 section 10.4).
  case tcp(CollectorAddress)
  /// A Collector, by TLS on a TCP connection (RFC 7011 section 11).
  case tls(CollectorAddress)
  /// IPFIX Files (RFC 5655), by how they are called.
  case file(FilePattern)

  /// The ways there are, by the schemes of the URLs that operators write.
  public enum Scheme: String, CaseIterable, Sendable {
    /// Datagrams.
    case udp
    /// A connection.
    case tcp
    /// A connection with TLS.
    case tls
    /// Files on this machine.
    case file

    /// Whether the Collector's TCP acknowledges what it gets: messages wait for that.
    public var isAcknowledged: Bool { self == .tcp || self == .tls }
  }

  /// By which way.
  public var scheme: Scheme {
    switch self {
    case .udp: .udp
    case .tcp: .tcp
    case .tls: .tls
    case .file: .file
    }
  }

  /// Where the Collector is; nil where messages go to none.
  public var address: CollectorAddress? {
    switch self {
    case .udp(let address), .tcp(let address), .tls(let address): address
    case .file: nil
    }
  }

  /// What statistics and messages call it: a Collector's address, behind the scheme where that is not UDP.
  public var description: String {
    switch self {
    case .udp(let address): address.description
    case .tcp(let address), .tls(let address): scheme.prefix + address.description
    case .file(let pattern): "\(scheme.prefix)\(pattern)"
    }
  }

  /// Whether it is the same but for where it is sent from.
  func isRepeated(by other: DestinationTarget) -> Bool {
    guard scheme == other.scheme, let address, let another = other.address else { return self == other }
    return address.host == another.host && address.port == another.port
  }
}

extension DestinationTarget.Scheme {
  /// As the beginning of a URL.
  var prefix: String { "\(rawValue)://" }

  /// The Collector's port where none is given; 0 where there is no Collector.
  var defaultPort: UInt16 {
    switch self {
    case .udp: CollectorAddress.defaultPort
    // RFC 7011 section 10.1.
    case .tcp: 4739
    case .tls: 4740
    case .file: 0
    }
  }
}
