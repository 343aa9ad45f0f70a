// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What the lanes of one interface share: they are opened together, since a socket that joins the others while packets
/// come would miss some of its own.
///
/// **Held.** The rings that have been opened and not yet taken by their lanes, and how many there are, with those that
/// have been. The first lane whose ring fails has the others give theirs up, each once it has read what was in it; then
/// one opens all anew. A lane that is late takes a ring that is to be given up, and reads it: no packet goes untold. Any
/// thread; the lock is held while an interface is opened.
final class CaptureLanes: Sendable {
  let name: String
  let configuration: CaptureInterface.Configuration
  private let count: Int

  private struct State {
    /// By lane.
    var opened: [CaptureSession?]
    /// Of all rings, taken or not, those that have not been given up.
    var count: Int
    var nextAttempt = Timestamp.monotonicClock()
    /// Why it could not be opened again, as it was told.
    var refusal: CaptureError?
  }

  private let state: Mutex<State>
  private let currentOpening = Atomic<Int>(0)

  /// Opens the interface.
  init(_ count: Int, of name: String, _ configuration: CaptureInterface.Configuration) throws(CaptureError) {
    precondition((1...256).contains(count), "number of lanes out of range")
    (self.name, self.configuration, self.count) = (name, configuration, count)
    state = Mutex(State(opened: try CaptureSession.open(count, of: name, configuration, opening: 0), count: count))
  }

  /// The opening whose rings are good; one of another is to be given up.
  var opening: Int { currentOpening.load(ordering: .relaxed) }

  /// A lane's ring. Opens the interface where there is none any more, once a second at most.
  ///
  /// - Returns: nil where there is none yet; and whether this call has opened the interface.
  /// - Throws: where the interface is there, and cannot be opened: once for each reason.
  func take(_ lane: Int) throws(CaptureError) -> (session: CaptureSession, isFirst: Bool)? {
    try state.withLock { state throws(CaptureError) in
      var isFirst = false
      if state.opened[lane] == nil, state.count == 0 {
        let now = Timestamp.monotonicClock()
        guard now >= state.nextAttempt else { return nil }
        state.nextAttempt = now.advanced(byMilliseconds: 1000)
        do throws(CaptureError) {
          state.opened = try CaptureSession.open(count, of: name, configuration, opening: opening)
        } catch {
          guard let refusal = CaptureSession.refusal(name, afterReturn: error), refusal != state.refusal else {
            return nil
          }
          state.refusal = refusal
          throw refusal
        }
        (state.count, state.refusal) = (count, nil)
        isFirst = true
      }
      guard let session = state.opened[lane] else { return nil }
      state.opened[lane] = nil
      return (session, isFirst)
    }
  }

  /// A lane has given its ring up.
  func leave() { state.withLock { $0.count -= 1 } }

  /// A lane's ring has failed: those of the same opening are to be given up too.
  ///
  /// - Returns: whether it is the first of them.
  func fail(_ session: CaptureSession) -> Bool {
    currentOpening.compareExchange(
      expected: session.opening, desired: session.opening + 1, ordering: .relaxed
    ).exchanged
  }
}
