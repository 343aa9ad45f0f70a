// SPDX-License-Identifier: Apache-2.0

/// By what connections are found.
extension NATLedger {
  /// The hashes of the pairs of ends that a connection's packets show, each different pair once.
  private func pairHashes(_ connection: Connection) -> InlineArray<3, UInt64?> {
    let (arriving, between, leaving) = connection.pairs
    return [
      arriving.hash(hash), between == arriving || between == leaving ? nil : between.hash(hash),
      leaving == arriving ? nil : leaving.hash(hash),
    ]
  }

  /// What a connection is told apart by: its ends as its packets arrive, and of an echo the identifier.
  func identityHash(_ connection: Connection) -> UInt64 {
    EndpointPair(identifying: connection.original, connection.protocol, connection.version).hash(hash)
  }

  mutating func addToIndex(_ place: Int) {
    let identity = identityHash(entries[place].connection)
    let pairs = pairHashes(entries[place].connection)
    index.insert(UInt32(place), hash: identity)
    entries[place].indexed = 0
    for stage in pairs.indices {
      guard let hash = pairs[stage], hash != identity else { continue }
      if makeRoom(in: hash) {
        index.insert(UInt32(place), hash: hash)
        entries[place].indexed |= 1 << UInt8(stage)
      } else {
        crowded[hash, default: 0] += 1
      }
    }
  }

  mutating func removeFromIndex(_ place: Int) {
    let identity = identityHash(entries[place].connection)
    let pairs = pairHashes(entries[place].connection)
    index.remove(UInt32(place), hash: identity)
    for stage in pairs.indices {
      guard let hash = pairs[stage], hash != identity else { continue }
      if entries[place].indexed & 1 << UInt8(stage) != 0 {
        index.remove(UInt32(place), hash: hash)
      } else if let count = crowded[hash] {
        crowded[hash] = count > 1 ? count - 1 : nil
      }
    }
  }

  /// By one pair so many connections are found. There may be thousands where the protocol has no ports, as of the echoes
  /// of a network to one host: to look at each with each event would take the time of all others.
  private static let mostAlike = 8

  /// Whether one more is found by this pair; one that has ended makes room for it.
  private mutating func makeRoom(in hash: UInt64) -> Bool {
    var (count, ended) = (0, Int?.none)
    index.forEach(hash: hash) {
      count += 1
      if entries[Int($0)].phase == .ended { ended = Int($0) }
    }
    guard count >= Self.mostAlike else { return true }
    guard let ended else { return false }
    let pairs = pairHashes(entries[ended].connection)
    for stage in pairs.indices where pairs[stage] == hash && entries[ended].indexed & 1 << UInt8(stage) != 0 {
      index.remove(UInt32(ended), hash: hash)
      entries[ended].indexed &= ~(1 << UInt8(stage))
      crowded[hash, default: 0] += 1
      return true
    }
    return false
  }
}
