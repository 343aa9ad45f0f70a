// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc
internal import Synchronization

/// Looks a host name up, at first and now and then, on a thread of its own: the system's resolver may block for long.
final class NameResolver: Sendable {
  /// Shared with the thread, which outlives the resolver by one look-up.
  private final class State: Sendable {
    let found = Mutex<[ResolvedAddress]>([])
    let isStopped = Atomic<Bool>(false)
    let hasLookedUp = Atomic<Bool>(false)
    let isDoubted = Atomic<Bool>(false)
  }

  private let state = State()
  /// Seconds between two look-ups: of a name that had an address, and of one that had none.
  private static let interval: (known: Int, unknown: Int) = (300, 5)

  init(_ name: String, port: UInt16, _ version: IPVersion?) {
    let thread = try? WorkerThread(name: "resolve") { [state] in
      while !state.isStopped.load(ordering: .relaxed) {
        let found = ResolvedAddress.resolve(name, port: port, version)
        // An address that was good stays so while nobody says otherwise.
        if !found.isEmpty { state.found.withLock { $0 = found } }
        state.hasLookedUp.store(true, ordering: .releasing)
        var seconds = state.found.withLock { $0.isEmpty } ? Self.interval.unknown : Self.interval.known
        while seconds > 0, !state.isStopped.load(ordering: .relaxed) {
          sleep(1)
          seconds -= 1
          if state.isDoubted.exchange(false, ordering: .relaxed) { seconds = min(seconds, Self.interval.unknown) }
        }
      }
    }
    // A name that is known at once loses nothing; a resolver that does not answer holds nobody up.
    for _ in 0..<200 where thread != nil && !state.hasLookedUp.load(ordering: .acquiring) { usleep(10_000) }
  }

  deinit { state.isStopped.store(true, ordering: .relaxed) }

  /// Has the name looked up again soon: nobody answers at the address that it had.
  func hurry() { state.isDoubted.store(true, ordering: .relaxed) }

  /// The addresses as they were found last, the resolver's first choice first; empty before the name had one.
  var found: [ResolvedAddress] { state.found.withLock { $0 } }
}
