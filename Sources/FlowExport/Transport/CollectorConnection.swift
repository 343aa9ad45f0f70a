// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc
internal import Synchronization

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

  /// Does what is due. Never blocks.
  mutating func maintain() -> Change {
    var movedTo: String?
    if let found = resolver?.latest, found != address {
      if address != nil { movedTo = found.address.text(found.version) }
      address = found
      session = nil
    } else if session != nil {
      return .unchanged
    }
    let now = Timestamp.monotonicClock()
    guard movedTo != nil || now >= nextAttempt else { return .unchanged }
    nextAttempt = now.advanced(byMilliseconds: Self.retryInterval)
    guard let address else { return .failed(ExportError(.connect, reason: "its name has no address")) }
    do throws(ExportError) {
      let source = destination.source.map { ResolvedAddress($0.address, $0.version, port: 0) }
      let session = try UDPSession(
        to: address, source: source, device: destination.device,
        UDPSession.Configuration(sendBuffer: configuration.sendBuffer))
      self.session = session
      ownSessions?.set(session.own, number: number)
      return .opened(movedTo: movedTo)
    } catch {
      return .failed(error)
    }
  }
}

/// Looks a host name up, at first and now and then, on a thread of its own: the system's resolver may block for long.
final class NameResolver: Sendable {
  private struct State {
    var latest: ResolvedAddress?
    var isStopped = false
  }

  private let state = Mutex(State())
  /// Seconds between two look-ups: of a name that had an address, and of one that had none.
  private static let interval: (known: Int, unknown: Int) = (300, 5)

  init(_ name: String, port: UInt16, _ version: IPVersion?) {
    // The first look-up is waited for: a name that is known from the start loses nothing.
    state.withLock { $0.latest = ResolvedAddress.resolve(name, port: port, version) }
    _ = try? WorkerThread(name: "resolve") { [weak self] in
      var seconds = 0
      while let self, !self.state.withLock({ $0.isStopped }) {
        seconds += 1
        let known = self.latest != nil
        if seconds >= (known ? Self.interval.known : Self.interval.unknown) {
          seconds = 0
          let found = ResolvedAddress.resolve(name, port: port, version)
          self.state.withLock { if let found { $0.latest = found } }
        }
        sleep(1)
      }
    }
  }

  /// The address as it was found last; nil before the name had one.
  var latest: ResolvedAddress? { state.withLock { $0.latest } }
}
