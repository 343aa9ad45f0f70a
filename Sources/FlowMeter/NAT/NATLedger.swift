// SPDX-License-Identifier: Apache-2.0

/// Which translated connections there are: the state behind ``NATTable``, without its lock.
///
/// What conntrack tells comes in by three ways: events, the listing of its table (a census), and packets that carry
/// their connection. Each may tell of the same connection, in any order; an event is made once of each beginning and
/// each end.
package struct NATLedger: ~Copyable {
  enum Phase: UInt8 {
    /// No connection has this place.
    case free
    /// A packet showed it; no event told of it.
    case glimpsed
    case live
    case ended
  }

  struct Entry {
    var connection: Connection
    var phase = Phase.free
    /// A create event was made, or is not due since it began before the program.
    var isTold = false
    /// It began before anybody listened: the kernel may make no event of its end.
    var mayEndSilently = false
    /// The census that saw it last; of one that ended, the last that had begun by then.
    var census: UInt32 = 0
    /// When it began, ended or was glimpsed last, whichever its phase says; by the table's clock.
    var changed = Timestamp(milliseconds: 0)
    /// By which of the stages of its packets the index finds it, a bit each.
    var indexed: UInt8 = 0
    /// What its latest note in `fading` says.
    var due = Timestamp(milliseconds: 0)
  }

  struct Fading {
    var place: UInt32
    var due: Timestamp
  }

  /// Place 0 stays empty: the index has no number 0.
  var entries: [Entry] = []
  private(set) var free: [UInt32] = []
  var index = PairIndex()
  /// By the hash of a pair, how many connections show it that the index does not find by it.
  var crowded: [UInt64: Int] = [:]
  let hash = KeyHash()
  /// What is to be forgotten, soonest first. Of a connection that has begun since, or ended, the note is of the past.
  private(set) var fading: [Fading] = []
  private(set) var fadingHead = 0
  let capacity: Int
  /// Milliseconds; where it grows, what is remembered already is remembered the longer.
  var memory: Int64
  var census: UInt32 = 0
  /// Since when somebody listens to conntrack's events, by the wall clock.
  package var listening = Timestamp(milliseconds: .max)
  /// Whether a census has come to its end.
  var isFirstCensusOver = false
  /// Live connections that may end without an event.
  package var silentCount = 0
  package var statistics = NATStatistics()

  init(_ configuration: NATTable.Configuration) {
    capacity = configuration.capacity
    memory = configuration.memory.milliseconds
  }

  // MARK: Finding

  /// The place of this very connection; a later one between the same ends has another id, as long as this one lives.
  /// What it is translated to may have been told otherwise: a packet shows its connection before all translations are
  /// made.
  func place(of connection: Connection) -> Int? {
    var found: Int?
    index.forEach(hash: identityHash(connection)) {
      let other = entries[Int($0)].connection
      if other.id == connection.id, other.original == connection.original, other.protocol == connection.protocol,
        other.version == connection.version
      {
        found = Int($0)
      }
    }
    return found
  }

  /// The connection that a Flow's packets belong to: a live one, else the one that ended last; a live one that began
  /// behind the Flow's last packet only where there is no other.
  private func place(of record: borrowing FlowRecord) -> Int? {
    let key = record.key
    let tuple = ConnectionTuple(
      source: key.source, destination: key.destination, sourcePort: key.sourcePort,
      destinationPort: key.destinationPort)
    let pair = EndpointPair(tuple, key.protocol, key.version)
    let (start, end) = (record.start, record.end)
    // What events tell is preferred to what a packet showed.
    func rank(_ entry: Entry) -> Int {
      switch entry.phase {
      case .live: entry.changed.advanced(byMilliseconds: -1000) <= end ? 3 : 1
      case .ended: 2
      case .glimpsed, .free: 0
      }
    }
    var best: Int?
    var isAmbiguous = false
    let pairHash = pair.hash(hash)
    index.forEach(hash: pairHash) { number in
      let entry = entries[Int(number)]
      // What ended before the Flow's first packet was another connection; a second is for clocks that differ.
      guard entry.phase != .ended || entry.changed.advanced(byMilliseconds: 1000) >= start,
        entry.connection.shows(pair)
      else { return }
      if let other = best {
        // Without ports, connections of several hosts look alike where they have one address.
        if !key.protocol.hasPorts, rank(entry) >= 2, rank(entries[other]) >= 2,
          !entry.connection.hasAddresses(of: entries[other].connection)
        {
          isAmbiguous = true
        }
        if (rank(entry), entry.changed) <= (rank(entries[other]), entries[other].changed) { return }
      }
      best = Int(number)
    }
    // Where there are more of them they are of one host as they arrive, and may be of any elsewhere.
    if let found = best, !key.protocol.hasPorts, crowded[pairHash] != nil,
      entries[found].connection.pairs.arriving != pair
    {
      isAmbiguous = true
    }
    return isAmbiguous ? nil : best
  }

  /// Gives a record the addresses that its packets leave with.
  func annotate(_ record: inout FlowRecord) {
    guard let place = place(of: record) else { return }
    let connection = entries[place].connection
    let key = record.key
    let isOriginal = connection.isOriginal(key.source, key.sourcePort, key.destination, key.destinationPort)
    let post = isOriginal ? connection.translated : connection.original.inverse
    record.isTranslated = true
    (record.postNATSource, record.postNATDestination) = (post.source, post.destination)
    if key.protocol.hasPorts {
      (record.postNAPTSourcePort, record.postNAPTDestinationPort) = (post.sourcePort, post.destinationPort)
    }
  }

  // MARK: Changing

  /// Whether one more can be held without another being forgotten before its time.
  var hasRoom: Bool { statistics.held < capacity }

  /// Takes a connection in. Nil where there is no room.
  mutating func insert(_ connection: Connection, _ phase: Phase, at now: Timestamp) -> Int? {
    forget(at: now)
    if !hasRoom { forgetNext() }
    guard hasRoom else {
      statistics.overflowed += 1
      return nil
    }
    let place: Int
    var entry = Entry(connection: connection, phase: phase, census: census)
    entry.changed = now
    if let number = free.popLast() {
      place = Int(number)
      entries[place] = entry
    } else {
      if entries.isEmpty { entries.append(Entry(connection: connection)) }
      place = entries.count
      entries.append(entry)
    }
    addToIndex(place)
    statistics.held += 1
    if phase == .live { statistics.active += 1 }
    if phase != .live { fade(place) }
    return place
  }

  /// Takes over what is told now of a connection that is known.
  mutating func update(_ place: Int, _ connection: Connection) {
    guard entries[place].connection != connection else { return }
    removeFromIndex(place)
    entries[place].connection = connection
    addToIndex(place)
  }

  mutating func end(_ place: Int, at now: Timestamp) {
    forget(at: now)
    if entries[place].mayEndSilently { silentCount -= 1 }
    entries[place].mayEndSilently = false
    entries[place].phase = .ended
    entries[place].census = census
    entries[place].changed = now
    statistics.active -= 1
    fade(place)
  }

  private mutating func fade(_ place: Int) {
    let due = entries[place].changed.advanced(byMilliseconds: memory)
    entries[place].due = due
    fading.append(Fading(place: UInt32(place), due: due))
  }

  /// Forgets what has faded by `now`.
  private mutating func forget(at now: Timestamp) {
    while fadingHead < fading.count, fading[fadingHead].due <= now {
      guard let place = takeNext() else { continue }
      if entries[place].changed.advanced(byMilliseconds: memory) > now {
        // Its packets go on.
        fade(place)
      } else {
        remove(place)
      }
    }
  }

  /// Forgets the one that is next, whether its time has come or not.
  private mutating func forgetNext() {
    while fadingHead < fading.count {
      guard let place = takeNext() else { continue }
      return remove(place)
    }
  }

  /// Takes the next note. Nil where it is of the past.
  private mutating func takeNext() -> Int? {
    let note = fading[fadingHead]
    fadingHead += 1
    if fadingHead > 1024, fadingHead * 2 > fading.count {
      fading.removeFirst(fadingHead)
      fadingHead = 0
    }
    return holds(note) ? Int(note.place) : nil
  }

  func holds(_ note: Fading) -> Bool {
    let entry = entries[Int(note.place)]
    return (entry.phase == .glimpsed || entry.phase == .ended) && entry.due == note.due
  }

  private mutating func remove(_ place: Int) {
    removeFromIndex(place)
    entries[place].phase = .free
    free.append(UInt32(place))
    statistics.held -= 1
  }
}
