// SPDX-License-Identifier: Apache-2.0

package import Synchronization

/// The translated connections that conntrack has, for two who ask: NAT events are told apart from what was told
/// before, and Flow Records get the addresses that their packets were given.
///
/// **Held.** Every live translated connection, and those that ended until no Flow of theirs can still be reported. One
/// lock; who reads conntrack's events holds it for a batch of them, the exporter for a buffer of records.
///
/// **Found** by each pair of ends that its packets show on their way: as they arrive, between the translation of the
/// destination and that of the source, and as they leave. The packets of the other direction show the same pairs the
/// other way round, so an Observation Point may lie anywhere.
public final class NATTable: Sendable {
  /// How much is held, and for how long.
  public struct Configuration: Sendable {
    /// How many connections are held at most; of others events are told, and no Flow is annotated. Default 2 000 000;
    /// 150 to 250 octets each.
    public var capacity = 2_000_000

    /// How long an ended connection is remembered: until events that were on their way have been read, and where Flows
    /// are annotated, as long again as they wait for the inactive timeout. Default 2 s, for who annotates none.
    public var memory: Duration = .seconds(2)

    public init() {}
  }

  package let state: Mutex<NATLedger>

  /// An empty table.
  public init(_ configuration: Configuration = Configuration()) { state = Mutex(NATLedger(configuration)) }

  /// What it knows; any thread.
  public var statistics: NATStatistics { state.withLock { $0.statistics } }

  /// Changes ``Configuration/memory``. Any thread.
  public func setMemory(_ memory: Duration) { state.withLock { $0.memory = memory.milliseconds } }

  /// A packet of the connection passed: for sources whose packets tell. It is remembered as long as packets pass, beside
  /// what conntrack's events tell.
  ///
  /// Never waits: while somebody else has the table, the next packet tells the same.
  public func note(_ connection: Connection, at now: Timestamp) {
    guard connection.isTranslated else { return }
    _ = state.withLockIfAvailable { $0.glimpsed(connection, at: now) }
  }

  /// Completes records whose packets belong to a translated connection.
  public func annotate(_ records: inout FlowRecordBuffer) {
    state.withLock { ledger in
      guard ledger.statistics.held > 0 else { return }
      for i in 0..<records.count { ledger.annotate(&records[i]) }
    }
  }
}

/// What is known of translated connections. Counters are totals since the start.
public struct NATStatistics: Sendable {
  /// Live connections that are known now.
  public var active = 0
  /// Those, and the ended ones that are remembered.
  public var held = 0
  /// Events made of connections that began.
  public var created: UInt64 = 0
  /// Events made of connections that ended.
  public var deleted: UInt64 = 0
  /// Of those, connections that conntrack's table told of and no event did: an event was lost, or the connection is
  /// older than the program.
  public var recovered: UInt64 = 0
  /// Connections for which there was no room.
  public var overflowed: UInt64 = 0
  /// How often the kernel had no room for events: each time some were lost, which the next census finds.
  public var overruns: UInt64 = 0

  public init() {}
}
