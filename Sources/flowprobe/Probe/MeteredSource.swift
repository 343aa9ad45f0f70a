// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// Where live packets come from.
enum PacketOrigin: Hashable, Sendable {
  case interface(String)
  /// An NFLOG group.
  case group(UInt16)
}

/// A source that is metered: what meters it, its counters and, where it is live, its thread.
///
/// The source and what meters it belong to the thread once that runs; the counters may be read by any.
final class MeteredSource: @unchecked Sendable {
  /// Nil: a file.
  let origin: PacketOrigin?
  let source: any PacketSource
  let process: MeteringProcess
  let pulse: ThreadPulse
  private let isStopping = Atomic<Bool>(false)
  private let hasEnded = Atomic<Bool>(false)
  private var thread: WorkerThread?

  init(_ source: any PacketSource, _ origin: PacketOrigin?, _ process: MeteringProcess) {
    (self.source, self.origin, self.process) = (source, origin, process)
    pulse = ThreadPulse(name: "meter \(source.name)")
  }

  var name: String { source.name }
  var isGroup: Bool { if case .group = origin { true } else { false } }
  /// Whether it captures frames: they may be for other hosts, and not of IP.
  var captures: Bool { source is CaptureInterface }
  var statistics: MeteringStatistics { process.counters.statistics }

  /// Of a captured interface; any thread.
  func setPromiscuous(_ isPromiscuous: Bool) { (source as? CaptureInterface)?.setPromiscuous(isPromiscuous) }

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
        case .resumed: Console.say("interface '\(name)' is back", .notice)
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

extension Sequence<MeteredSource> {
  /// The sum of all counters.
  var total: MeteringStatistics { map(\.process.counters).total }
}
