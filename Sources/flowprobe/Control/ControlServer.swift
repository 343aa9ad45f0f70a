// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands descriptors of ours to poll.

internal import FlowMeter
internal import Glibc
internal import Synchronization

/// The thread that answers on the control socket: a few clients at a time, in turn, none of which can hold it up.
final class ControlServer: Sendable {
  /// Clients at a time; of more, the one of which nothing has come or gone for longest has to make room.
  static let mostClients = 8

  private let socket: ControlSocket
  private let commands: ControlCommands
  private let isStopping = Atomic<Bool>(false)
  private let wake = WakeUp()

  init(_ socket: ControlSocket, _ commands: ControlCommands) { (self.socket, self.commands) = (socket, commands) }

  /// Ends ``run()``. Any thread.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    wake.call()
  }

  /// Answers until ``stop()``; connections are closed then.
  func run() {
    var clients: [ControlConnection] = []
    var nextAccept = Timestamp.monotonicClock()
    while !isStopping.load(ordering: .acquiring) {
      let ready = wait(for: clients, from: nextAccept)
      let now = Timestamp.monotonicClock()
      clients = zip(clients, ready.clients).compactMap { client, isReady in
        guard !isReady || client.advance(at: now) else { return nil }
        return now < client.deadline ? client : nil
      }
      guard ready.newClient, Self.makeRoom(&clients, at: now) else { continue }
      do throws(SystemError) {
        if let client = try socket.accept() { clients.append(ControlConnection(client, commands, at: now)) }
      } catch {
        // No descriptor is left, or no memory: it may be otherwise in a second.
        nextAccept = now.advanced(byMilliseconds: 1000)
      }
    }
  }

  /// Whether there is room for one more client, made if need be.
  private static func makeRoom(_ clients: inout [ControlConnection], at now: Timestamp) -> Bool {
    guard clients.count >= mostClients else { return true }
    guard let idlest = clients.indices.min(by: { clients[$0].lastProgress < clients[$1].lastProgress }),
      now.milliseconds - clients[idlest].lastProgress.milliseconds >= ControlConnection.leastIdleness
    else { return false }
    clients.remove(at: idlest)
    return true
  }

  /// Waits until something can be done.
  private func wait(for clients: [ControlConnection], from nextAccept: Timestamp) -> (newClient: Bool, clients: [Bool])
  {
    let now = Timestamp.monotonicClock()
    // All are busy: those who wait are looked at again when one of these may make room.
    var nextAccept = nextAccept
    if clients.count >= Self.mostClients, let idlest = clients.map(\.lastProgress).min() {
      nextAccept = max(nextAccept, idlest.advanced(byMilliseconds: ControlConnection.leastIdleness))
    }
    let accepts = now >= nextAccept
    // A negative descriptor is passed over.
    var entries = [
      pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: accepts ? socket.descriptor : -1, events: Int16(POLLIN), revents: 0),
    ]
    for client in clients { entries.append(pollfd(fd: client.descriptor, events: client.awaited, revents: 0)) }
    // A wake that got no descriptor is not heard: then the stop is looked for.
    var pause: Int64 = wake.descriptor < 0 ? 1000 : -1
    if let next = (clients.map(\.deadline) + (accepts ? [] : [nextAccept])).min() {
      let isBusy = clients.contains { $0.awaited == 0 }
      let untilNext = isBusy ? 0 : max(0, next.milliseconds - now.milliseconds)
      pause = pause < 0 ? untilNext : min(pause, untilNext)
    }
    unsafe poll(&entries, nfds_t(entries.count), Int32(clamping: pause))
    if entries[0].revents != 0 { wake.clear() }
    let ready = zip(clients, entries[2...]).map { $0.awaited == 0 || $1.revents != 0 }
    return (entries[1].revents != 0, ready)
  }
}
