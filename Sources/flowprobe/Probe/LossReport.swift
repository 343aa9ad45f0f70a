// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Tells, while the program runs, what is being lost: once a minute at most, and only what is new.
struct LossReport {
  private static let interval: Int64 = 60_000

  private var known = Losses()
  private var next = Timestamp.monotonicClock()

  private struct Losses {
    var kernelDrops: UInt64 = 0
    var interfaceDrops: UInt64 = 0
    var evicted: UInt64 = 0
    var lostFlows: UInt64 = 0
    var overruns: UInt64 = 0
    var droppedEvents: UInt64 = 0
    var overflowed: UInt64 = 0

    /// Counters that were begun anew are known as far as they have come.
    mutating func lower(to now: Losses) {
      kernelDrops = min(kernelDrops, now.kernelDrops)
      interfaceDrops = min(interfaceDrops, now.interfaceDrops)
      evicted = min(evicted, now.evicted)
      lostFlows = min(lostFlows, now.lostFlows)
      overruns = min(overruns, now.overruns)
      droppedEvents = min(droppedEvents, now.droppedEvents)
      overflowed = min(overflowed, now.overflowed)
    }
  }

  mutating func tell(_ parts: ProbeParts) {
    let now = Timestamp.monotonicClock()
    guard now >= next else { return }
    next = now.advanced(byMilliseconds: 1000)
    var losses = Losses()
    let metered = parts.metered
    (losses.kernelDrops, losses.interfaceDrops) = (metered.kernelDrops, metered.interfaceDrops)
    let held = parts.tableStatistics
    (losses.evicted, losses.lostFlows) = (held.evicted, held.lost.flows)
    // Who follows connections may be another than a moment ago, and begin anew.
    let followed = parts.follower?.translations.statistics ?? NATStatistics()
    (losses.overruns, losses.overflowed) = (followed.overruns, followed.overflowed)
    losses.droppedEvents = parts.follower?.events?.dropped ?? 0
    known.lower(to: losses)
    let news = [
      (losses.kernelDrops.less(known.kernelDrops), "packets dropped by the kernel; \(LossAdvice.kernelDrops(parts))"),
      (losses.interfaceDrops.less(known.interfaceDrops), "packets dropped by an interface"),
      (losses.evicted.less(known.evicted), "flows left early as the table was full; \(LossAdvice.maxFlows)"),
      (losses.lostFlows.less(known.lostFlows), "flows lost as the export did not keep up"),
      (
        losses.overruns.less(known.overruns),
        "times the kernel had no room for NAT events; conntrack's table is looked through for them; "
          + LossAdvice.natBuffer
      ),
      (losses.droppedEvents.less(known.droppedEvents), "NAT events lost as the export did not keep up"),
      (
        losses.overflowed.less(known.overflowed),
        "translated connections are not followed for want of room; \(LossAdvice.natConnections)"
      ),
    ].filter { $0.0 > 0 }
    guard !news.isEmpty else { return }
    for (count, text) in news { Console.say("\(count) \(text)") }
    known = losses
    next = now.advanced(byMilliseconds: Self.interval)
  }
}

/// What helps against a loss.
enum LossAdvice {
  /// Against packets dropped by the kernel.
  static func kernelDrops(_ parts: ProbeParts) -> String {
    let isOfInterface = parts.sources.contains { $0.captures && $0.statistics.kernelDrops > 0 }
    return kernelDrops(
      ofInterface: isOfInterface, threadsEach: parts.configuration.threads,
      threads: parts.configuration.meteringThreads, processors: parts.configuration.processorsForMetering)
  }

  /// Threads are no help to a group's packets, nor without processors for them, nor where `--threads` takes no more.
  static func kernelDrops(ofInterface: Bool, threadsEach: Int, threads: Int, processors: Int) -> String {
    let mayHaveMore = threadsEach < MeteringOptions.mostThreads && threads < processors
    return (ofInterface && mayHaveMore ? "more --threads or " : "") + "a larger --buffer-size may help"
  }

  static let maxFlows = "a larger --maxflows holds them"
  static let natConnections = "a larger --nat-connections holds them"
  static let natBuffer = "a larger --nat-buffer may help"
}
