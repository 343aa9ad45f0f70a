// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Keeps a Transport Session to a destination: opens it, tries again where that failed, follows its DNS name.
struct CollectorConnection {
  private(set) var session: (any TransportSession)?
  private let destination: CollectorAddress
  private let configuration: ExportConfiguration
  private let number: Int
  private let ownSessions: OwnSessions?
  private let resolver: NameResolver?
  private var address: ResolvedAddress?
  private var nextAttempt = Timestamp(milliseconds: 0)

  /// Between two attempts to open a session. Milliseconds.
  private static let retryInterval: Int64 = 1000

  enum Change {
    case unchanged
    /// There is a new session; where the name's address changed, the new one.
    case opened(movedTo: String?)
    case failed(ExportError)
  }

  init(
    _ destination: CollectorAddress, _ configuration: ExportConfiguration, number: Int, ownSessions: OwnSessions?
  ) {
    self.destination = destination
    self.configuration = configuration
    self.number = number
    self.ownSessions = ownSessions
    switch destination.host {
    case .address(let address, let version):
      self.address = ResolvedAddress(address, version, port: destination.port)
      resolver = nil
    case .name(let name):
      resolver = NameResolver(name, port: destination.port, destination.source?.version)
    }
  }

  /// Gives the session up: the next call of ``maintain()`` that is due opens another.
  ///
  /// A connected socket keeps the address that the host had when it was opened; when that is gone nothing leaves any
  /// more.
  mutating func abandon() {
    session = nil
    ownSessions?.set(nil, number: number)
  }

  /// Does what is due. Never blocks.
  mutating func maintain() -> Change {
    var movedTo: String?
    if let found = resolver?.found, !found.isEmpty, address.map({ !found.contains($0) }) ?? true {
      if address != nil { movedTo = found[0].address.text(found[0].version) }
      address = found[0]
      abandon()
    } else if session != nil {
      return .unchanged
    }
    let now = Timestamp.monotonicClock()
    guard movedTo != nil || now >= nextAttempt else { return .unchanged }
    nextAttempt = now.advanced(byMilliseconds: Self.retryInterval)
    guard let address else { return .failed(.nameWithoutAddress) }
    do throws(ExportError) {
      let session = try UDPSession(to: address, from: destination, configuration)
      self.session = session
      ownSessions?.set(session.own, number: number)
      return .opened(movedTo: movedTo)
    } catch {
      return .failed(error)
    }
  }
}
