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
  private static let retryInterval: Int64 = 1000

  /// What may wait in memory before it goes to disk too.
  private var room: Int { configuration.queue / 2 }

  /// Octets of a segment: two fit where half the room is left.
  static func segmentSize(_ configuration: DeliveryConfiguration) -> Int { min(configuration.queue / 8, 4 << 20) }

  /// Takes a message over from the exporter: to memory, or behind what is on disk.
  func take(_ message: QueuedMessage) {
    guard current.hasUnloaded || spool != nil && isFull else { return current.append(message) }
    current.noteSpooled(message)
    guard put(message, isLoaded: false) != nil else {
      // Templates hold for what comes later: the segments begin with them.
      guard message.contents.role != .templates else { return delivery.count { $0.delivery.unqueue(message.contents) } }
      return
    }
  }

  /// Whether all that waits in memory is on disk too, and memory is to have no more.
  private var isFull: Bool { current.window.waitingOctets > room && current.window.unspooledOctets == 0 }

  /// Brings to disk what waits in memory alone, where that is too much or too long.
  func spoolIfNeeded() {
    let now = Timestamp.monotonicClock()
    // What is on disk too has to leave room for what comes.
    defer { if current.window.unspooledOctets == 0 { current.unload(to: room) } }
    guard current.window.unspooledOctets > 0, now >= nextSpooling else { return }
    let waitsLong = !isConnected && now.milliseconds - unconnectedSince.milliseconds >= Self.grace
    guard current.window.waitingOctets > room || waitsLong else { return }
    spoolWaiting()
  }

  private func spoolWaiting() {
    guard openSpool() else { return }
    current.window.spoolWaiting { put($0, isLoaded: true) }
  }

  /// Whether there is a spool: where it was taken, it may be free by now.
  private func openSpool() -> Bool {
    guard spool == nil, let directory = configuration.spool else { return spool != nil }
    do throws(SpoolError) {
      spool = try Spool(
        directory, capacity: configuration.spoolSize, segmentSize: Self.segmentSize(configuration))
      hasLookedForEarlier = false
      lookForEarlier()
      return true
    } catch {
      noteSpoolTrouble(error.description)
      return false
    }
  }

  private func noteSpoolTrouble(_ text: String) {
    let now = Timestamp.monotonicClock()
    nextSpooling = now.advanced(byMilliseconds: Self.retryInterval)
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
        return nextSpooling = Timestamp.monotonicClock().advanced(byMilliseconds: Self.retryInterval)
      }
      guard message.contents.role != .templates else { return }
      delivery.count { state in
        state.delivery.unqueue(message.contents)
        state.lose(message.contents, kind)
      }
    }
    guard let spool, Timestamp.monotonicClock() >= nextSpooling || spool.hasRoom(for: message) else {
      lose(.spoolFull)
      return nil
    }
    guard spool.hasRoom(for: message) else {
      lose(.spoolFull)
      return nil
    }
    do throws(SpoolError) {
      let wall = UInt32(truncatingIfNeeded: Timestamp.wallClock().milliseconds / 1000)
      let (segment, isNew) = try spool.append(message, isLoaded: isLoaded) {
        current.announced.templates(sequence: message.sequence, at: wall)
      }
      if isNew { current.segments.append(segment) }
      if isLoaded { segment.waiting += 1 }
      let octets = spool.octets
      delivery.count { state in
        state.delivery.unqueue(message.contents)
        state.delivery.spool?.put(message.contents)
        state.delivery.spool?.written.add(message.contents.flows)
        state.delivery.spool?.octets = octets
      }
      return segment
    } catch {
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
    while active.window.waitingOctets < configuration.queue / 4,
      let segment = active.segments.first(where: { !$0.isLoaded })
    {
      guard let messages = read(segment) else {
        active.segments.removeAll { $0 === segment }
        continue
      }
      active.load(messages, of: segment)
      if segment.waiting == 0 {
        spool?.remove(segment)
        active.segments.removeAll { $0 === segment }
        countSpoolOctets()
      }
    }
  }

  /// A segment's messages; nil where it has none that can be read: it is put aside.
  private func read(_ segment: SpoolSegment) -> [QueuedMessage]? {
    guard let spool else { return nil }
    do throws(SpoolError) {
      let (messages, rest) = try spool.read(segment)
      if rest == 0 { return messages }
      delivery.count { state in
        state.delivery.spool?.unreadable += 1
        state.note(.spool(destination: delivery.destination, Self.torn(segment, messages.count, rest)))
      }
      guard messages.isEmpty else { return messages }
      spool.putAside(segment)
      countSpoolOctets()
    } catch {
      noteSpoolTrouble(error.description)
      spool.putAside(segment)
    }
    return nil
  }

  private static func torn(_ segment: SpoolSegment, _ messages: Int, _ rest: Int) -> String {
    messages == 0
      ? "'\(segment.name)' in its spool is no file of messages; it is put aside as \(segment.name).damaged"
      : "the last \(rest) octets of '\(segment.name)' in its spool are no whole message, as after a crash; they are left out"
  }

  // MARK: The beginning and the end

  /// Counts what earlier runs have left.
  func lookForEarlier() {
    guard !hasLookedForEarlier, let spool else { return }
    hasLookedForEarlier = true
    for run in spool.findEarlier() {
      let stream = OutgoingStream(limit: limit)
      for segment in run {
        guard let messages = read(segment) else { continue }
        stream.segments.append(segment)
        delivery.count { state in
          for message in messages {
            state.delivery.spool?.put(message.contents)
            state.delivery.spool?.found.add(message.contents.flows)
          }
        }
      }
      if !stream.segments.isEmpty { earlier.append(stream) }
    }
    countSpoolOctets()
    let found = earlier.isEmpty ? 0 : earlier.reduce(0) { $0 + $1.segments.count }
    guard found > 0 else { return }
    delivery.count { state in
      let flows = state.delivery.spool?.found.flows ?? 0
      let text = "\(flows) flows of an earlier run wait in its spool; they are sent first"
      state.note(.spool(destination: delivery.destination, text))
    }
  }

  /// What was not delivered is to be on disk, and nothing else.
  func concludeSpool() {
    guard configuration.spool != nil else { return }
    if current.window.unspooledOctets > 0 {
      nextSpooling = Timestamp(milliseconds: 0)
      spoolWaiting()
    }
    guard let spool else { return }
    for stream in earlier + [current] {
      guard let first = stream.segments.first, first.isLoaded else { continue }
      var messages = stream.announced.templates(sequence: 0, at: 0)
      let templates = messages.count
      stream.window.forEachWaiting { if $0.segment === first { messages.append($0.message) } }
      guard messages.count > templates else { continue }
      let wall = UInt32(truncatingIfNeeded: Timestamp.wallClock().milliseconds / 1000)
      messages.replaceSubrange(
        ..<templates, with: stream.announced.templates(sequence: messages[templates].sequence, at: wall))
      do throws(SpoolError) {
        try spool.replace(first, by: messages)
      } catch {
        noteSpoolTrouble(error.description)
      }
    }
    countSpoolOctets()
  }
}
