// SPDX-License-Identifier: Apache-2.0

/// How messages are kept until the Collector has them: of destinations over TCP and TLS.
public struct DeliveryConfiguration: Hashable, Sendable {
  /// What waits in memory at most. Octets of messages; default 8 MiB: what a Linux collector's socket may hold unread
  /// (tcp_rmem) and some more.
  public var queue = 8 << 20
  /// What it can be.
  public static let queues = 1 << 16...1 << 34

  /// Whose exporter waits for room in a full queue, as long as the Collector takes something: of a file there is no later
  /// chance, and nothing that is held up. Default false: what comes then is lost, and counted.
  public var waitsForRoom = false

  /// A directory for what the queue cannot hold; nil, the default: none.
  public var spool: String?
  /// What the files in it have at most. Octets; default 1 GiB.
  public var spoolSize = 1 << 30
  /// What it can be.
  public static let spoolSizes = 1 << 20...1 << 50
  /// When what is written to it is on the disk. Default: every 5 seconds, which is how long messages wait in memory alone
  /// too, and when one of the files is complete.
  public var spoolSync = FileSync.every(5)

  public init() {}
}
