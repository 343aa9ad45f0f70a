// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// A thread's part of a ``MeteredSource``: where its packets come from, what meters them and, where they are live, the
/// thread.
///
/// The source and what meters it belong to the thread once that runs; the counters may be read by any.
final class MeteringLane: @unchecked Sendable {
  let source: any PacketSource
  /// From 1; nil where its source has no other.
  let number: Int?
  let process: MeteringProcess
  let pulse: ThreadPulse
  private let isStopping = Atomic<Bool>(false)
  private let hasEnded = Atomic<Bool>(false)
  private var thread: WorkerThread?

  init(_ source: any PacketSource, number: Int?, _ process: MeteringProcess) {
    (self.source, self.number, self.process) = (source, number, process)
    pulse = ThreadPulse(name: Self.threadName(source.name, number))
  }

  /// `meter eth0`, or of several `meter eth0/2`: a long name loses its beginning, since the kernel would cut the number
  /// off, and names of interfaces differ at their end.
  static func threadName(_ source: String, _ number: Int?) -> String {
    let (start, end) = ("meter ", number.map { "/\($0)" } ?? "")
    guard number != nil else { return start + source }
    var name = source[...]
    while start.utf8.count + name.utf8.count + end.utf8.count > WorkerThread.longestName { name.removeFirst() }
    return start + name + end
  }

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - isCrowded: called on it when ended Flows should be taken out of the table soon.
  ///   - fail: called on it, once, when the source ends by itself.
  func start(
    processor: Int?, isCrowded: @escaping @Sendable () -> Void, fail: @escaping @Sendable (CaptureError) -> Void
  ) throws(SystemError) {
    thread = try WorkerThread(name: pulse.name, processor: processor) { self.run(isCrowded, fail) }
  }

  /// Has the thread end, once it has metered what the kernel holds. Any thread.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// Waits until it has.
  func join() {
    thread?.join()
    thread = nil
  }

  private func run(_ isCrowded: () -> Void, _ fail: (CaptureError) -> Void) {
    do throws(CaptureError) {
      while !isStopping.load(ordering: .relaxed) {
        let (outcome, crowded) = try process.meter(timeout: .milliseconds(100))
        pulse.beat()
        switch outcome {
        case .more, .end: break
        case .interrupted(let error): Console.say(error.description)
        case .resumed: Console.say("interface '\(source.name)' is back", .notice)
        }
        if crowded { isCrowded() }
      }
      // What the kernel still holds for us was there before the order to stop.
      try process.drain()
    } catch {
      fail(error)
    }
    process.finish()
    hasEnded.store(true, ordering: .releasing)
  }

  /// Whether packets may still be added to the table of before a change. Any thread.
  var hasChangeAhead: Bool { process.hasChangeAhead && !hasEnded.load(ordering: .acquiring) }
}
