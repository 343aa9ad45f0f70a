// SPDX-License-Identifier: Apache-2.0
//
// Where keys are selected by hash, on the path of every packet: nothing here allocates, throws, logs or reads a clock.

/// Decides of a packet by the hash of its Flow's key: the packets of one Flow in N come to the table.
///
/// The hash is not the table's: by one and the same, the Flows taken would all fall into the first stripes.
struct KeySelector: Sendable {
  private let hash: KeyHash
  /// Keys that hash below are taken.
  private let bound: UInt64

  /// - Parameter seed: nil takes the system's random numbers.
  init(interval: Int, seed: UInt64?) {
    hash = KeyHash(seed: seed.map { ~$0 })
    bound = .max / UInt64(interval)
  }

  @inline(__always)
  func selects(_ key: borrowing FlowKey, _ labels: MPLSLabelStack) -> Bool {
    hash.hash(key, labels) < bound
  }
}

/// What is done with packets between their source and the table.
public struct PacketSelection: Sendable {
  let keys: KeySelector?
  /// One packet of so many is decoded; 0: all are.
  let packetInterval: UInt32
  /// What is made of the packets' keys; nil: they are left as they are.
  public let aggregation: AggregationRules?
  /// How often the aggregation rules were used by all who meter with this selection.
  public let aggregationUsage: AggregationUsage

  /// - Parameters:
  ///   - sampling: of packets or by hash; what chooses Flows otherwise is the table's. Default: none.
  ///   - aggregation: what is made of the packets' keys, ahead of the choice by hash. Default: they are left as they are.
  ///   - seed: where the hash begins; nil, the default, takes the system's random numbers. All who meter into one
  ///     table share one selection.
  public init(sampling: Sampling? = nil, aggregation: AggregationRules? = nil, seed: UInt64? = nil) {
    self.aggregation = aggregation
    aggregationUsage = AggregationUsage(rules: aggregation?.rules.count ?? 0)
    keys = sampling.flatMap {
      $0.method == .hashedFlows ? KeySelector(interval: $0.interval, seed: seed) : nil
    }
    packetInterval = sampling.flatMap { $0.method == .packets ? UInt32($0.interval) : nil } ?? 0
  }
}
