// SPDX-License-Identifier: Apache-2.0

/// Which part of the packets is metered or of the Flows exported, for who cannot take all of them: one of so many.
///
/// Of one of the two ways: a rate of both together would tell of neither what it is.
/// Counters are not scaled: a collector is told the rate, and multiplies.
public struct Sampling: Hashable, Sendable {
  /// Of what one in N is taken, and how it is chosen.
  public enum Method: Sendable {
    /// Flows by their number: they are numbered as they begin, and every N-th is exported (RFC 7014 section 4.1,
    /// systematic count-based).
    case deterministicFlows
    /// Flows by chance: each is exported with a probability of 1/N.
    case randomFlows
    /// Flows by a hash of their key, under a seed of its own: those of one key in N are metered, and no packet of
    /// another comes to the table. A key is chosen or not for as long as the program runs.
    case hashedFlows
    /// Packets by their number, each source by itself, and of an interface each thread: one is metered, and N − 1 are left out before they are decoded
    /// (RFC 5475 section 5.1, systematic count-based).
    case packets
  }

  /// What N can be: NetFlow v5 has 14 bits for it.
  public static let intervals = 2...16_383

  /// Of what, and how.
  public var method: Method
  /// N: one of so many is taken.
  public var interval: Int

  /// - Precondition: the interval is one of ``intervals``.
  public init(_ method: Method, interval: Int) {
    precondition(Self.intervals.contains(interval), "sampling interval out of range")
    (self.method, self.interval) = (method, interval)
  }

  /// Whether what is taken follows from its number alone, and not from chance or a hash.
  public var isDeterministic: Bool { method == .deterministicFlows || method == .packets }

  /// What was given to the sampling and what it took: of Flows that have ended, or, where packets are chosen ahead of
  /// the table, of packets.
  public func totals(
    _ metered: MeteringStatistics, _ table: FlowTableStatistics
  ) -> (offered: FlowTotals, selected: FlowTotals) {
    switch method {
    case .deterministicFlows, .randomFlows:
      var offered = table.selected
      offered.add(table.leftOut)
      return (offered, table.selected)
    case .hashedFlows:
      return (
        FlowTotals(packets: metered.meteredPackets &+ metered.unselectedPackets),
        FlowTotals(packets: metered.meteredPackets)
      )
    case .packets:
      return (
        FlowTotals(packets: metered.observedPackets),
        FlowTotals(packets: metered.observedPackets &- metered.unselectedPackets)
      )
    }
  }

  /// Parses ipt_NETFLOW's `sampler`: `mode:N`, of whose mode the first letter decides: deterministic, random, hash.
  ///
  /// - Returns: nil where there is to be none: the text is empty or `0`.
  public static func flows(_ text: String) throws(SelectionError) -> Sampling? {
    if text.isEmpty || text == "0" { return nil }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let method: Method? =
      switch parts[0].first {
      case "d", "D": .deterministicFlows
      case "r", "R": .randomFlows
      case "h", "H": .hashedFlows
      default: nil
      }
    guard let method, parts.count == 2, let interval = Int(parts[1]), intervals.contains(interval) else {
      throw SelectionError(
        description: "cannot sample flows by '\(text)'; write deterministic:N, random:N or hash:N,"
          + " with N from \(intervals.lowerBound) to \(intervals.upperBound), or 0 for none.")
    }
    return Sampling(method, interval: interval)
  }
}

/// Why rules that an operator wrote, of sampling, aggregation or interfaces, cannot be used, as a sentence.
public struct SelectionError: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String

  /// A reason in words for the operator: what is wrong, and what to write.
  public init(description: String) { self.description = description }
}
