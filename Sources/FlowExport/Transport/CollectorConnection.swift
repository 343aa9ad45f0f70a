// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Keeps a Transport Session to a target: opens it, tries again where that failed, follows a Collector's DNS name.
struct CollectorConnection {
  private(set) var session: (any TransportSession)?
  private let target: DestinationTarget
  private let configuration: ExportConfiguration
  private let number: Int
  /// The session's in `ownSessions`, or the next one's: in turn ``number`` and its complement. Datagrams of the one before
  /// may still be on their way to those who meter.
  private var place: Int
  private let ownSessions: OwnSessions?
  private let resolver: NameResolver?
  /// Nil but where it is files that are written.
  let files: FileSeries?
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
    _ target: DestinationTarget, _ configuration: ExportConfiguration, number: Int, ownSessions: OwnSessions?
  ) {
    self.target = target
    self.configuration = configuration
    self.number = number
    place = number
    self.ownSessions = ownSessions
    files =
      if case .file(let pattern) = target {
        FileSeries(pattern, configuration.file, keepsOptions: configuration.records == .options)
      } else { nil }
    switch target.address?.host {
    case .address(let address, let version):
      self.address = ResolvedAddress(address, version, port: target.address?.port ?? 0)
      resolver = nil
    case .name(let name):
      resolver = NameResolver(name, port: target.address?.port ?? 0, target.address?.source?.version)
    case nil: resolver = nil
    }
  }

  /// Gives the session up: the next call of ``maintain()`` that is due opens another.
  ///
  /// A connected socket keeps the address that the host had when it was opened; when that is gone nothing leaves any
  /// more. Its addresses stay known until the next but one is opened, or to ``retire()``.
  mutating func abandon() {
    files?.close()
    guard session != nil else { return }
    session = nil
    place = ~place
  }

  /// Gives the session up for good: its addresses are nobody's then.
  mutating func retire() {
    abandon()
    ownSessions?.set(nil, number: number)
    ownSessions?.set(nil, number: ~number)
  }

  /// Does what is due. Never blocks, but as long as a file's disk does.
  ///
  /// - Parameter now: by the wall clock, or that of the packets that are read.
  mutating func maintain(at now: Timestamp) -> Change {
    var (movedTo, isNext) = (String?.none, false)
    if let found = resolver?.found, !found.isEmpty, address.map({ !found.contains($0) }) ?? true {
      if address != nil { movedTo = found[0].address.text(found[0].version) }
      address = found[0]
      abandon()
    } else if let files, session != nil {
      do throws(SystemError) {
        try files.current?.keepUp()
      } catch {
        abandon()
        return .failed(ExportError(.other, reason: error.description))
      }
      guard files.isOver(at: now) else {
        files.finishLeftOver()
        return .unchanged
      }
      files.close(at: now)
      (session, isNext) = (nil, true)
    } else if session != nil {
      return .unchanged
    }
    let moment = Timestamp.monotonicClock()
    guard movedTo != nil || isNext || moment >= nextAttempt else { return .unchanged }
    nextAttempt = moment.advanced(byMilliseconds: Self.retryInterval)
    do throws(ExportError) {
      let session = try open(at: now)
      self.session = session
      ownSessions?.set(session.own, number: place)
      return .opened(movedTo: movedTo)
    } catch {
      return .failed(error)
    }
  }

  /// Whether the file that is written has come to its end, and the next one is to begin.
  func isOver(at now: Timestamp) -> Bool { files?.isOver(at: now) ?? false }

  private func open(at now: Timestamp) throws(ExportError) -> any TransportSession {
    switch target {
    case .tcp, .tls: preconditionFailure("a delivery has connections of its own")
    case .udp(let destination):
      guard let address else { throw .nameWithoutAddress }
      return try UDPSession(to: address, from: destination, configuration)
    case .file(let pattern):
      guard let files else { preconditionFailure("no files of \(pattern)") }
      return try files.open(at: now)
    }
  }
}
