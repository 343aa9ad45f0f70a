// SPDX-License-Identifier: Apache-2.0

/// What conntrack tells.
extension NATLedger {
  /// The moment at which something is told: by the table's clock, and by the wall clock for events.
  package struct Moment {
    package var now: Timestamp
    package var wall: Timestamp

    package init(now: Timestamp, wall: Timestamp) { (self.now, self.wall) = (now, wall) }
  }

  /// A connection began.
  package mutating func began(
    _ connection: Connection, at time: Timestamp?, _ moment: Moment, _ events: inout [NATEvent]
  ) {
    guard connection.isTranslated else { return }
    if let place = place(of: connection) {
      // A census told of it before the event was read.
      if entries[place].phase == .live, entries[place].isTold { return }
      // All events of connections that the first census found have been read: that one ended, and told nobody.
      if entries[place].phase == .live, isFirstCensusOver { conclude(place, moment, &events) }
      update(place, connection)
      if entries[place].phase != .live { revive(place, at: moment.now) }
      entries[place].isTold = true
      if entries[place].mayEndSilently {
        entries[place].mayEndSilently = false
        silentCount -= 1
      }
    } else if let place = insert(connection, .live, at: moment.now) {
      entries[place].isTold = true
    }
    make(.create, connection, at: time ?? moment.wall, &events)
  }

  /// A connection ended.
  package mutating func ended(
    _ connection: Connection, at time: Timestamp?, traffic: ConnectionTraffic?, _ moment: Moment,
    _ events: inout [NATEvent]
  ) {
    guard connection.isTranslated else { return }
    if let place = place(of: connection) {
      // The census noticed before the event was read.
      if entries[place].phase == .ended { return }
      update(place, connection)
      if entries[place].phase == .glimpsed { revive(place, at: moment.now) }
      end(place, at: moment.now)
    } else if hasRoom {
      // A listing under way may still tell of it.
      _ = insert(connection, .ended, at: moment.now)
    }
    make(.delete, connection, at: time ?? moment.wall, traffic: traffic, &events)
  }

  /// A packet of it passed.
  package mutating func glimpsed(_ connection: Connection, at now: Timestamp) {
    guard connection.isTranslated else { return }
    if let place = place(of: connection) {
      guard entries[place].phase == .glimpsed else { return }
      update(place, connection)
      entries[place].changed = now
    } else {
      _ = insert(connection, .glimpsed, at: now)
    }
  }

  /// What packets told of has begun; or where one ended, another has: the kernel may give it the same id at once.
  private mutating func revive(_ place: Int, at now: Timestamp) {
    entries[place].phase = .live
    entries[place].changed = now
    // A listing under way may have passed where it stands now.
    entries[place].census = census
    statistics.active += 1
  }

  private mutating func make(
    _ kind: NATEvent.Kind, _ connection: Connection, at time: Timestamp, traffic: ConnectionTraffic? = nil,
    _ events: inout [NATEvent]
  ) {
    switch kind {
    case .create: statistics.created += 1
    case .delete: statistics.deleted += 1
    }
    events.append(NATEvent(kind, connection, at: time, traffic: traffic))
  }

  // MARK: A census

  /// A listing of conntrack's table begins.
  package mutating func beginCensus() { census &+= 1 }

  /// The listing has this connection. What the first one has, and no event told of, began before anybody listened: no
  /// event is made of that.
  package mutating func counted(
    _ connection: Connection, at time: Timestamp?, _ moment: Moment, _ events: inout [NATEvent]
  ) {
    guard connection.isTranslated else { return }
    let place: Int
    var isSuccessor = false
    if let known = self.place(of: connection) {
      // What ended while the listing is under way may be in it; what had ended before is another one there.
      let hasEnded = entries[known].phase == .ended
      isSuccessor = hasEnded && entries[known].census != census
      entries[known].census = census
      if entries[known].phase == .live || (hasEnded && !isSuccessor) { return }
      update(known, connection)
      revive(known, at: moment.now)
      place = known
    } else {
      guard let new = insert(connection, .live, at: moment.now) else { return }
      place = new
    }
    // Stamped, a connection shows whether it began before anybody listened.
    if isFirstCensusOver || isSuccessor || time.map({ $0 >= listening }) ?? false {
      entries[place].isTold = true
      // Of connections for which there was no room it is not known whether they were told of.
      guard statistics.overflowed == 0 else { return }
      statistics.recovered += 1
      make(.create, connection, at: time ?? moment.wall, &events)
    } else {
      entries[place].mayEndSilently = true
      silentCount += 1
    }
  }

  /// The listing is complete, and so are the events of until then: what it does not have has ended.
  ///
  /// - Parameters:
  ///   - next: the place to go on at; 0 at first.
  ///   - limit: how many places to look at.
  /// - Returns: whether all places were looked at; else call again.
  package mutating func endCensus(
    from next: inout Int, limit: Int, _ moment: Moment, _ events: inout [NATEvent]
  ) -> Bool {
    let last = min(entries.count, next + limit)
    while next < last {
      let place = next
      next += 1
      guard entries[place].phase == .live, entries[place].census != census else { continue }
      conclude(place, moment, &events)
    }
    if next == entries.count { isFirstCensusOver = true }
    return next == entries.count
  }

  /// A connection has ended, and there was no event of that.
  private mutating func conclude(_ place: Int, _ moment: Moment, _ events: inout [NATEvent]) {
    end(place, at: moment.now)
    statistics.recovered += 1
    make(.delete, entries[place].connection, at: moment.wall, &events)
  }
}
