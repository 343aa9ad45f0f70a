// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// That a thread goes on: it counts its rounds.
final class ThreadPulse: Sendable {
  /// As `top -H` shows it.
  let name: String
  private let rounds = Atomic<UInt64>(0)

  init(name: String) { self.name = name }

  /// One more round; the thread itself alone.
  func beat() { rounds.store(rounds.load(ordering: .relaxed) &+ 1, ordering: .relaxed) }

  var count: UInt64 { rounds.load(ordering: .relaxed) }
}

/// Whether the threads that flowprobe is there for make their rounds: what `/healthz` says. Any thread.
///
/// They make several a second, also when nothing comes, so one that has made none for ten seconds hangs. Rounds are
/// looked at once a second, and when somebody asks.
final class ProbeHealth: Sendable {
  /// Milliseconds.
  static let patience: Int64 = 10_000

  private struct Watched {
    let pulse: ThreadPulse
    var count: UInt64
    /// When it was seen that the count had grown.
    var grown: Timestamp
  }

  private struct State {
    var threads: [Watched] = []
    var isEnding = false
  }

  private let pulses: @Sendable () -> [ThreadPulse]
  private let state = Mutex(State())

  /// - Parameter pulses: of the threads that there are; they may come and go.
  init(_ pulses: @escaping @Sendable () -> [ThreadPulse]) { self.pulses = pulses }

  /// The program ends: from now on that is the trouble.
  func end() { state.withLock { $0.isEnding = true } }

  /// Looks which threads have made rounds.
  func note(at now: Timestamp = .monotonicClock()) {
    let pulses = pulses()
    state.withLock { state in
      state.threads = pulses.map { pulse in
        let count = pulse.count
        guard let known = state.threads.first(where: { $0.pulse === pulse }), known.count == count else {
          return Watched(pulse: pulse, count: count, grown: now)
        }
        return known
      }
    }
  }

  /// What is wrong, in words; nil: nothing.
  func trouble(at now: Timestamp = .monotonicClock()) -> String? {
    note(at: now)
    return state.withLock { state in
      if state.isEnding { return "flowprobe is ending" }
      let late = state.threads.compactMap { thread in
        let silence = now.milliseconds - thread.grown.milliseconds
        return silence >= Self.patience
          ? "the thread '\(thread.pulse.name)' has made no round for \(silence / 1000) s" : nil
      }
      return late.isEmpty ? nil : late.joined(separator: "; ")
    }
  }
}
