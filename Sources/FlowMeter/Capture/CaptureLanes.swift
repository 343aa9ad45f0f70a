// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What the lanes of one interface share: they are opened together, since a socket that joins the others while packets
/// come would miss some of its own.
///
/// **Held.** The rings that have been opened and not yet taken by their lanes, and how many are in use. The first lane
/// whose ring fails has the others give theirs up, each once it has read what was in it; then one opens all anew. Any
/// thread; the lock is held while an interface is opened.
final class CaptureLanes: Sendable {
  let name: String
  let configuration: CaptureInterface.Configuration
  private let count: Int

  private struct State {
    /// By lane.
    var opened: [CaptureSession?]
    var inUse = 0
    var nextAttempt = Timestamp.monotonicClock()
  }

  private let state: Mutex<State>
  private let currentOpening = Atomic<Int>(0)

  /// Opens the interface.
  init(_ count: Int, of name: String, _ configuration: CaptureInterface.Configuration) throws(CaptureError) {
    precondition((1...256).contains(count), "number of lanes out of range")
    (self.name, self.configuration, self.count) = (name, configuration, count)
    state = Mutex(State(opened: try CaptureSession.open(count, of: name, configuration, opening: 0)))
  }

  /// The opening whose rings are good; one of another is to be given up.
  var opening: Int { currentOpening.load(ordering: .relaxed) }

  /// A lane's ring. Opens the interface where none is in use any more, once a second at most.
  ///
  /// - Returns: nil where there is none yet; and whether this call has opened the interface.
  func take(_ lane: Int) -> (session: CaptureSession, isFirst: Bool)? {
    state.withLock { state in
      var isFirst = false
      if state.opened[lane] == nil, state.inUse == 0 {
        let now = Timestamp.monotonicClock()
        guard now >= state.nextAttempt else { return nil }
        state.nextAttempt = now.advanced(byMilliseconds: 1000)
        guard let opened = try? CaptureSession.open(count, of: name, configuration, opening: opening) else {
          return nil
        }
        state.opened = opened
        isFirst = true
      }
      guard let session = state.opened[lane] else { return nil }
      state.opened[lane] = nil
      state.inUse += 1
      return (session, isFirst)
    }
  }

  /// A lane has given its ring up.
  func leave() { state.withLock { $0.inUse -= 1 } }

  /// A lane's ring has failed: those of the same opening are to be given up too.
  ///
  /// - Returns: whether it is the first of them.
  func fail(_ session: CaptureSession) -> Bool {
    currentOpening.compareExchange(
      expected: session.opening, desired: session.opening + 1, ordering: .relaxed
    ).exchanged
  }
}
