// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// The most Flows that were active at once. Any thread.
///
/// Asked before each sweep of the table: until then Flows only become more.
final class FlowPeak: Sendable {
  struct Height: Sendable {
    var flows = 0
    /// By the monotonic clock.
    var reached = Timestamp(milliseconds: 0)
  }

  private let height: Mutex<Height>

  init(at now: Timestamp) { height = Mutex(Height(reached: now)) }

  var value: Height { height.withLock { $0 } }

  func note(_ flows: Int, at now: Timestamp) {
    height.withLock { if flows > $0.flows { $0 = Height(flows: flows, reached: now) } }
  }
}

/// One pass of the exporting thread over the table.
struct ExportPass: Sendable {
  /// Between its begin and that of the one before.
  var pause: Int64 = 0
  /// By the monotonic clock.
  var ended = Timestamp(milliseconds: 0)
  var microseconds: Int64 = 0
  /// Flow Records that it took out.
  var records = 0
  /// The processor that the thread ran on.
  var processor = 0

  /// How long the exporting thread waits between two passes at most.
  static let mostPause = Duration.milliseconds(100)
}
