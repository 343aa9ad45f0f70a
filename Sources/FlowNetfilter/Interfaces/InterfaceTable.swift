// SPDX-License-Identifier: Apache-2.0

public import FlowMeter
internal import Synchronization

/// The network interfaces of this network namespace: their names, aliases and speeds, as they come, go and change.
///
/// Held is what rtnetlink told: all interfaces at the start, and since then every change. It is as fresh as the last
/// ``refresh()``, which one thread calls a few times a second; any thread may ask. One lock is around everything: it is
/// held while the messages at hand are read and drivers are asked for speeds, microseconds as a rule. Stale may be what
/// the kernel tells nobody of: an alias given to an interface that is down, until that goes up.
public final class InterfaceTable: Sendable {
  private struct State: ~Copyable {
    private var socket: LinkSocket
    private(set) var known = KnownInterfaces()
    private var lastSequence: UInt32 = 0

    init() throws(SystemError) { socket = try LinkSocket() }

    mutating func beginDump() throws(SystemError) {
      lastSequence &+= 1
      try socket.requestDump(sequence: lastSequence)
      known.beginDump(sequence: lastSequence)
    }

    /// Takes all that has arrived; the kernel writes a dump as it is read.
    mutating func read() {
      reading: while true {
        switch socket.receive({ known.take($0) }) {
        case .datagram: break
        case .lost: known.messagesWereLost()
        case .nothing: break reading
        }
      }
      for interface in known.takeToldOf() {
        known.setSpeed(socket.speed(of: interface.name), of: interface.index)
      }
    }
  }

  private let state: Mutex<State>
  /// How often a dump under which interfaces change is repeated before the table is good enough for a start.
  private static let attempts = 10

  /// Learns of all interfaces that there are.
  public init() throws(SystemError) {
    var state = try State()
    for _ in 0..<Self.attempts where state.known.needsDump {
      try state.beginDump()
      state.read()
    }
    if let refusal = state.known.refusal { throw SystemError(code: refusal) }
    self.state = Mutex(state)
  }

  /// Reads what has been told since the last call. Never waits.
  ///
  /// - Returns: whether anything is another now.
  public func refresh() -> Bool {
    state.withLock { state in
      let before = state.known.byIndex
      // One that the kernel does not take now, it takes the next time.
      if state.known.needsDump, !state.known.isDumping { try? state.beginDump() }
      state.read()
      return state.known.byIndex != before
    }
  }

  /// All interfaces, in the order of their indexes.
  public var all: [NetworkInterface] {
    state.withLock { $0.known.byIndex.values.sorted { $0.index < $1.index } }
  }

  /// The interface of this index.
  public subscript(index: UInt32) -> NetworkInterface? { state.withLock { $0.known.byIndex[index] } }

  /// The interface of this name, or else of this alternative name.
  public func named(_ name: String) -> NetworkInterface? {
    let all = all
    return all.first { $0.name == name } ?? all.first { $0.alternativeNames.contains(name) }
  }
}
