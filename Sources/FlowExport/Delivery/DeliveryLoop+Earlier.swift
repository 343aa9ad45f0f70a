// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// What earlier runs have left in the spool is counted before anything is sent, a file a round: there may be more than is
/// read while nobody waits.
extension DeliveryLoop {
  /// A look at all that is there.
  struct Search {
    /// The files that were not looked into, in their order.
    var segments: ArraySlice<SpoolSegment>
    /// What was found, a run each.
    var streams: [OutgoingStream] = []
    var found = RecordTotals()
  }

  /// Whether nobody knows yet what is to be sent first.
  var isSearching: Bool { spool != nil && !hasLookedForEarlier }

  /// Looks into the next file.
  func lookForEarlier() {
    guard isSearching, let spool, clock() >= nextLoading else { return }
    var search = self.search ?? begin(in: spool)
    defer { self.search = hasLookedForEarlier ? nil : search }
    guard let segment = search.segments.first else { return end(search) }
    do throws(SpoolError) {
      if try find(segment, in: spool) { note(segment, in: &search) }
      search.segments.removeFirst()
    } catch {
      nextLoading = clock().advanced(byMilliseconds: Self.retryInterval)
      noteSpoolTrouble(error.description)
    }
    if search.segments.isEmpty { end(search) }
  }

  private func begin(in spool: Spool) -> Search {
    if let foreign = spool.foreign { tellOfSpool(foreign) }
    return Search(segments: spool.findEarlier()[...])
  }

  private func note(_ segment: SpoolSegment, in search: inout Search) {
    if search.streams.last?.run != segment.run { search.streams.append(OutgoingStream(run: segment.run, limit: limit)) }
    search.streams[search.streams.count - 1].segments.append(segment)
    search.found.add(segment.records)
    delivery.count { state in
      state.delivery.spool?.waiting.add(segment.records)
      state.delivery.spool?.found.add(segment.records)
    }
  }

  private func end(_ search: Search) {
    (hasLookedForEarlier, earlier) = (true, search.streams)
    countSpoolOctets()
    guard !earlier.isEmpty else { return }
    let events = search.found.events > 0 ? " and \(search.found.events) NAT events" : ""
    tellOfSpool("\(search.found.flows.flows) flows\(events) of an earlier run wait in its spool; they are sent first")
  }

  /// Looks into a segment that an earlier run left. False where it has nothing that can be read: it is put aside.
  ///
  /// - Throws: what this process lacks; nothing is wrong with the segment.
  private func find(_ segment: SpoolSegment, in spool: Spool) throws(SpoolError) -> Bool {
    do throws(SpoolError) {
      let (messages, rest) = try spool.read(segment)
      if rest > 0 { noteTorn(segment, messages.count, rest) }
      if rest > 0, messages.isEmpty { spool.putAside(segment) }
      for message in messages { segment.note(message.contents) }
      return rest == 0 || !messages.isEmpty
    } catch {
      guard !error.isOurs else { throw error }
      noteSpoolTrouble(error.description)
      return false
    }
  }

  /// Something in a file is no message.
  func noteTorn(_ segment: SpoolSegment, _ messages: Int, _ rest: Int) {
    delivery.count { $0.delivery.spool?.unreadable += 1 }
    tellOfSpool(Self.torn(segment, messages, rest))
  }

  private static func torn(_ segment: SpoolSegment, _ messages: Int, _ rest: Int) -> String {
    messages == 0
      ? "'\(segment.name)' in its spool is no file of messages; it is put aside as \(segment.name).damaged"
      : "the last \(rest) octets of '\(segment.name)' in its spool are no whole message, as after a crash; they are left out"
  }
}
