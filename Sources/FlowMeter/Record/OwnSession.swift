// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The addresses of one of flowprobe's own Transport Sessions.
public struct OwnSession: Hashable, Sendable {
  /// The address that it sends from.
  public var source: IPAddress
  /// The Collector's address.
  public var destination: IPAddress
  /// Of both addresses.
  public var version: IPVersion
  /// The port that it sends from.
  public var sourcePort: UInt16
  /// The Collector's port.
  public var destinationPort: UInt16
  /// Of a connection (TCP) what comes back is the session's too.
  public var `protocol`: IPProtocol

  public init(
    source: IPAddress, destination: IPAddress, version: IPVersion, sourcePort: UInt16, destinationPort: UInt16,
    protocol: IPProtocol = .udp
  ) {
    self.protocol = `protocol`
    self.source = source
    self.destination = destination
    self.version = version
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
  }

  func matches(_ key: FlowKey) -> Bool {
    guard key.protocol == `protocol`, key.version == version else { return false }
    if key.destinationPort == destinationPort, key.sourcePort == sourcePort {
      return key.source == source && key.destination == destination
    }
    return `protocol` == .tcp && key.sourcePort == destinationPort && key.destinationPort == sourcePort
      && key.source == destination && key.destination == source
  }
}

/// flowprobe's own Transport Sessions: told by those who send, read by those who meter. Any thread.
public final class OwnSessions: Sendable {
  private let sessions = Mutex<[Int: OwnSession]>([:])
  private let changes = Atomic<Int>(0)

  public init() {}

  /// Grows with every change.
  var version: Int { changes.load(ordering: .acquiring) }

  var current: (sessions: [OwnSession], version: Int) {
    sessions.withLock { (Array($0.values), changes.load(ordering: .relaxed)) }
  }

  /// Sets the addresses of the session with this number; nil: it has none now.
  public func set(_ session: OwnSession?, number: Int) {
    sessions.withLock {
      $0[number] = session
      changes.add(1, ordering: .releasing)
    }
  }
}
