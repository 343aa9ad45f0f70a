// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import FlowNetfilter
internal import Synchronization

/// What follows the translated connections: conntrack's events, what is known by them, and the thread.
final class ConnectionFollower: @unchecked Sendable {
  let translations: NATTable
  /// The events to export; nil: none are.
  let events: NATEventLog?
  private let makesEvents: Bool
  /// Belongs to the thread once that runs.
  private let conntrack: ConntrackEvents
  let pulse = ThreadPulse(name: "conntrack")
  private let isStopping = Atomic<Bool>(false)
  private var thread: WorkerThread?

  init(_ configuration: ProbeConfiguration, clock: MeteringClock) throws(CaptureError) {
    let settings = ConntrackSettings()
    makesEvents = settings.makesEvents
    translations = NATTable(configuration.translations)
    events = configuration.exportsNATEvents ? NATEventLog() : nil
    conntrack = try ConntrackEvents(table: translations, log: events, configuration.conntrack, clock: clock)
    for notice in settings.notices(exportsEvents: events != nil) { Console.say(notice, .notice) }
    BufferShortage(granted: conntrack.grantedBuffer, of: configuration.conntrack.bufferSize, "conntrack's events")
      .map { Console.say($0.description) }
  }

  /// The translations where conntrack makes no events: what packets tell of their connections is all that is known.
  var untold: NATTable? { makesEvents ? nil : translations }

  /// Starts the thread.
  ///
  /// - Parameter isCrowded: called on it when the events should be taken soon.
  func start(isCrowded: @escaping @Sendable () -> Void) throws(SystemError) {
    thread = try WorkerThread(name: pulse.name) { self.run(isCrowded) }
  }

  /// Has the thread end, once it has told what the kernel holds. Any thread.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// Waits until it has: some seconds at most.
  func join() {
    thread?.join()
    thread = nil
  }

  private func run(_ isCrowded: () -> Void) {
    var nextWord = Timestamp.monotonicClock()
    while !isStopping.load(ordering: .relaxed) {
      if conntrack.receive(timeout: .milliseconds(100)) { isCrowded() }
      pulse.beat()
      if let trouble = conntrack.trouble, Timestamp.monotonicClock() >= nextWord {
        nextWord = Timestamp.monotonicClock().advanced(byMilliseconds: 60_000)
        Console.say("cannot list conntrack's table: \(trouble); connections that ended without an event are not found")
      }
    }
    conntrack.finish(within: .seconds(3), isCrowded: isCrowded)
  }
}

/// What the operator is told of a socket's buffer that is smaller than was asked for.
struct BufferShortage: CustomStringConvertible {
  var granted: Int
  var wanted: Int
  /// Whose it is.
  var object: String

  /// Nil where the kernel gave all of it.
  init?(granted: Int, of wanted: Int, _ object: String) {
    guard granted < wanted else { return nil }
    (self.granted, self.wanted, self.object) = (granted, wanted, object)
  }

  /// In a container root is not the machine's, and the system's limit holds.
  var description: String {
    "the kernel gives \(object) a buffer of \(granted / 1024) KiB of \(wanted / 1024);"
      + " raise net.core.rmem_max on the host"
  }
}
