// SPDX-License-Identifier: Apache-2.0

extension NATLedger {
  /// Traps unless places, index, notes and statistics agree. For tests; looks at every connection.
  package func assertInvariants() {
    let notes = fading[fadingHead...].filter { holds($0) }
    let noted = Set(notes.map(\.place))
    var (held, active, silent, insertions) = (0, 0, 0, 0)
    var hidden: [UInt64: Int] = [:]
    for place in entries.indices.dropFirst() where entries[place].phase != .free {
      let entry = entries[place]
      held += 1
      if entry.phase == .live { active += 1 }
      if entry.mayEndSilently { silent += 1 }
      precondition(!entry.mayEndSilently || entry.phase == .live, "what has ended may end")
      precondition(self.place(of: entry.connection) == place, "a connection is not found, or held twice")
      precondition(entry.phase == .live || noted.contains(UInt32(place)), "a connection is never forgotten")
      insertions += 1
      let (identity, pairs) = (identityHash(entry.connection), pairHashes(entry.connection))
      for stage in pairs.indices {
        guard let hash = pairs[stage], hash != identity else { continue }
        if entry.indexed & 1 << UInt8(stage) != 0 {
          insertions += 1
          var isFound = false
          index.forEach(hash: hash) { isFound = isFound || $0 == UInt32(place) }
          precondition(isFound, "a connection is not found by a pair of ends")
        } else {
          hidden[hash, default: 0] += 1
        }
      }
    }
    precondition(index.count == insertions, "the index has not what the connections put into it")
    precondition(crowded == hidden, "pairs are crowded with others than there are")
    precondition(free.allSatisfy { entries[Int($0)].phase == .free }, "a free place is taken")
    precondition(Set(free).count == free.count, "a place is free twice")
    precondition(entries.isEmpty || held + free.count + 1 == entries.count, "a place is neither taken nor free")
    precondition(held == statistics.held && held <= capacity, "the statistics hold others")
    precondition(active == statistics.active, "the statistics have other live ones")
    precondition(silent == silentCount, "others may end silently")
  }
}
