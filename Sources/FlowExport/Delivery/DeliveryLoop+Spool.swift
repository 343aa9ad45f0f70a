// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What has no room in memory, or waits for a connection, goes to disk and comes back, in its order.
///
/// At the first need all that waits in memory goes to disk too, and the oldest of it, up to half the queue, stays in memory;
/// what comes then is on disk alone until memory is nearly empty. A segment's file goes when its last message is acknowledged.
extension DeliveryLoop {
  /// How long messages wait for a connection in memory alone. Milliseconds.
  private static let grace: Int64 = 5000
  /// Between two attempts where the spool cannot be used. Milliseconds.
  static let retryInterval: Int64 = 1000

  /// What may wait in memory before it goes to disk too.
  private var room: Int { configuration.queue / 2 }

  /// Takes a message over from the exporter: to memory, or behind what is on disk.
  func take(_ message: QueuedMessage) {
    guard current.hasUnloaded || spool != nil && isFull else { return current.append(message) }
    current.noteSpooled(message)
    guard put(message, isLoaded: false) == nil, message.contents.role == .templates else { return }
    // Templates hold for what comes later: it goes to the next segment, which begins with them.
    spool?.endSegment()
  }

  /// Whether all that waits in memory is on disk too, and memory is to have no more.
  private var isFull: Bool { current.window.waitingOctets > room && current.window.unspooledOctets == 0 }

  /// Brings to disk what waits in memory alone, where that is too much or too long.
  func spoolIfNeeded() {
    let now = clock()
    // What is on disk too has to leave room for what comes.
    defer { if current.window.unspooledOctets == 0 { current.unload(to: room) } }
    guard current.window.unspooledOctets > 0, now >= nextSpooling else { return }
    let waitsLong = !isConnected && now.milliseconds - unconnectedSince.milliseconds >= Self.grace
    guard current.window.waitingOctets > room || waitsLong else { return }
    spoolWaiting()
  }

  private func spoolWaiting() {
    guard openSpool(isQuiet: false) else { return }
    current.window.spoolWaiting { put($0, isLoaded: true) }
  }

  /// Takes the spool over from another exporter that has left it by now: what that had is to be sent, too.
  func takeOverSpool() {
    let now = clock()
    guard spool == nil, configuration.spool != nil, now >= nextTakeOver else { return }
    nextTakeOver = now.advanced(byMilliseconds: Self.retryInterval)
    _ = openSpool(isQuiet: true)
  }

  /// Brings what was written to the disk where that is due, and removes what could not be removed before.
  func keepUpSpool() {
    guard let spool else { return }
    let octets = spool.octets
    do throws(SpoolError) {
      try spool.keepUp()
    } catch {
      // Where nothing can be removed something may be written still.
      noteSpoolTrouble(error.description, holdsUpWriting: !error.isOfRemoval)
    }
    if spool.octets != octets { countSpoolOctets() }
  }

  /// Whether there is a spool: where it was taken, it may be free by now.
  private func openSpool(isQuiet: Bool) -> Bool {
    guard spool == nil, let directory = configuration.spool else { return spool != nil }
    do throws(SpoolError) {
      spool = try Spool(directory, configuration)
      hasLookedForEarlier = false
      return true
    } catch {
      if !isQuiet { noteSpoolTrouble(error.description) }
      return false
    }
  }

  func noteSpoolTrouble(_ text: String, holdsUpWriting: Bool = true) {
    let now = clock()
    if holdsUpWriting { nextSpooling = now.advanced(byMilliseconds: Self.retryInterval) }
    spoolTrouble.note(text)
    delivery.count { state in
      state.delivery.spool?.failures += 1
      if let (text, _) = spoolTrouble.take(at: now) { state.note(.spool(destination: delivery.destination, text)) }
    }
  }

  /// Writes a message to the spool. Nil where that does not go: one that is in memory too stays there, another is lost.
  private func put(_ message: QueuedMessage, isLoaded: Bool) -> SpoolSegment? {
    func lose(_ kind: ExportError.Kind) {
      guard !isLoaded else {
        return nextSpooling = clock().advanced(byMilliseconds: Self.retryInterval)
      }
      delivery.count { state in
        state.delivery.queued.remove(message.contents.totals)
        if message.contents.role != .templates { state.lose(message.contents.totals, kind) }
      }
    }
    guard let spool, spool.hasRoom(for: message) else {
      lose(.spoolFull)
      return nil
    }
    // A disk that has just refused is not asked again for each message.
    guard clock() >= nextWriting else {
      lose(.spool)
      return nil
    }
    do throws(SpoolError) {
      let (segment, isNew) = try spool.append(message, isLoaded: isLoaded) { beginning(of: current, before: message) }
      if isNew { current.segments.append(segment) }
      if isLoaded { segment.waiting += 1 }
      let octets = spool.octets
      delivery.count { state in
        state.delivery.queued.remove(message.contents.totals)
        state.delivery.spool?.waiting.add(message.contents.totals)
        state.delivery.spool?.written.add(message.contents.totals)
        state.delivery.spool?.octets = octets
      }
      return segment
    } catch {
      nextWriting = clock().advanced(byMilliseconds: Self.retryInterval)
      noteSpoolTrouble(error.description)
      lose(.spool)
      return nil
    }
  }

  func countSpoolOctets() {
    let octets = spool?.octets ?? 0
    delivery.count { $0.delivery.spool?.octets = octets }
  }

  // MARK: Reading

  /// Brings segments of the stream that is sent to memory, while that is nearly empty.
  func loadSegments() {
    while active.window.waitingOctets < configuration.queue / 4, clock() >= nextLoading,
      let spool, let segment = active.segments.first(where: { !$0.isLoaded })
    {
      do throws(SpoolError) {
        let (messages, rest) = try spool.read(segment)
        noteMissing(in: segment, messages, rest)
        active.load(messages, of: segment)
        if segment.waiting == 0 {
          spool.remove(segment)
          active.segments.removeAll { $0 === segment }
        }
      } catch {
        guard !error.isOurs else {
          nextLoading = clock().advanced(byMilliseconds: Self.retryInterval)
          return noteSpoolTrouble(error.description)
        }
        tellOfSpool("'\(segment.name)' in its spool cannot be read: \(error.error)")
        noteMissing(in: segment, [], 0)
        spool.putAside(segment)
        active.segments.removeAll { $0 === segment }
      }
      countSpoolOctets()
    }
  }

  /// Counts as lost what a segment was to have, and has not.
  private func noteMissing(in segment: SpoolSegment, _ messages: [QueuedMessage], _ rest: Int) {
    let present = SpoolSegment(name: segment.name, run: segment.run, isLoaded: false)
    for message in messages { present.note(message.contents) }
    guard present.messages < segment.messages else { return }
    if rest > 0 { noteTorn(segment, messages.count, rest) }
    var missing = segment.records
    missing.remove(present.records)
    delivery.count { state in
      state.delivery.spool?.waiting.remove(missing)
      state.lose(missing, messages: segment.messages - present.messages, .spool)
    }
  }

  func tellOfSpool(_ text: String) {
    delivery.count { $0.note(.spool(destination: delivery.destination, text)) }
  }

  // MARK: The end

  /// Why what waits in memory alone at the end is lost.
  func reasonForLoss(of message: QueuedMessage) -> ExportError.Kind {
    guard configuration.spool != nil else { return .notDelivered }
    return spool.map { $0.hasRoom(for: message) } ?? true ? .spool : .spoolFull
  }

  /// What was not delivered is to be on disk, and nothing else.
  func concludeSpool() {
    guard configuration.spool != nil else { return }
    if current.window.unspooledOctets > 0 {
      (nextSpooling, nextWriting) = (Timestamp(milliseconds: 0), Timestamp(milliseconds: 0))
      spoolWaiting()
    }
    guard let spool else { return }
    for stream in earlier + [current] {
      do throws(SpoolError) {
        try shorten(stream, in: spool)
        // They are counted as sent here, and as found by who sends them once more.
        try spool.keep(stream.window.again, ahead: stream.segments.first, run: stream.run) {
          beginning(of: stream, before: $0)
        }
      } catch {
        noteSpoolTrouble(error.description)
      }
    }
    spool.endSegment()
    keepUpSpool()
    countSpoolOctets()
  }

  /// Takes out of the first segment what was delivered.
  private func shorten(_ stream: OutgoingStream, in spool: Spool) throws(SpoolError) {
    guard let first = stream.segments.first, first.isLoaded else { return }
    var messages: [QueuedMessage] = []
    stream.window.forEachWaiting { if $0.segment === first { messages.append($0.message) } }
    guard let next = messages.first else { return }
    try spool.replace(first, by: beginning(of: stream, before: next) + messages)
  }

  /// What a file of the stream begins with, ahead of a message.
  private func beginning(of stream: OutgoingStream, before message: QueuedMessage) -> [QueuedMessage] {
    let wall = UInt32(truncatingIfNeeded: Timestamp.wallClock().milliseconds / 1000)
    return stream.announced.messages(before: message.sequence, at: wall)
  }
}
