// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Where live packets come from.
enum PacketOrigin: Hashable, Sendable {
  case interface(String)
  /// An NFLOG group.
  case group(UInt16)
}

/// A source that is metered, by one thread or several: the lanes.
final class MeteredSource: Sendable {
  /// Nil: a file.
  let origin: PacketOrigin?
  /// One at least; only of an interface there are several, over which the kernel spreads its packets.
  let lanes: [MeteringLane]

  /// - Parameter makeProcess: makes what meters a lane's packets.
  init(_ sources: [any PacketSource], _ origin: PacketOrigin?, makeProcess: (any PacketSource) -> MeteringProcess) {
    precondition(!sources.isEmpty, "a source without lanes")
    self.origin = origin
    lanes = sources.enumerated().map { place, source in
      MeteringLane(source, number: sources.count > 1 ? place + 1 : nil, makeProcess(source))
    }
  }

  /// The first lane's: what is true of all.
  var source: any PacketSource { lanes[0].source }
  var name: String { source.name }
  var isGroup: Bool { if case .group = origin { true } else { false } }
  /// Whether it captures frames: they may be for other hosts, and not of IP.
  var captures: Bool { source is CaptureInterface }
  /// The sum over the lanes.
  var statistics: MeteringStatistics { lanes.map(\.process.counters).total }

  /// Of a captured interface; any thread.
  func setPromiscuous(_ isPromiscuous: Bool) {
    for lane in lanes { (lane.source as? CaptureInterface)?.setPromiscuous(isPromiscuous) }
  }

  /// Has the packets from each lane's next round on go into another table. Any thread.
  func change(to table: FlowTable, _ selection: PacketSelection) {
    for lane in lanes { lane.process.change(to: table, selection) }
  }

  /// Starts the threads: all, or where one cannot be started none.
  ///
  /// - Parameters:
  ///   - processor: on which a lane's runs, by the lane's place; nil: on any.
  ///   - isCrowded: called on them when ended Flows should be taken out of the table soon.
  ///   - fail: called on one when its source ends by itself.
  func start(
    processor: (Int) -> Int?, isCrowded: @escaping @Sendable () -> Void,
    fail: @escaping @Sendable (CaptureError) -> Void
  ) throws(SystemError) {
    do throws(SystemError) {
      for (place, lane) in lanes.enumerated() {
        try lane.start(processor: processor(place), isCrowded: isCrowded, fail: fail)
      }
    } catch {
      stop()
      join()
      throw error
    }
  }

  /// Has the threads end, once they have metered what the kernel holds. Any thread.
  func stop() { for lane in lanes { lane.stop() } }

  /// Waits until they have.
  func join() { for lane in lanes { lane.join() } }

  /// Whether packets may still be added to the table of before a change. Any thread.
  var hasChangeAhead: Bool { lanes.contains(where: \.hasChangeAhead) }
}

extension Sequence<MeteredSource> {
  /// The sum of all counters.
  var total: MeteringStatistics { flatMap(\.lanes).map(\.process.counters).total }
}
