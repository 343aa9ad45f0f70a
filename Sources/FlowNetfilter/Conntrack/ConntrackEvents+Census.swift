// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter
internal import FlowMeter
internal import Glibc
internal import Synchronization

extension ConntrackEvents {
  /// A listing of conntrack's table under way.
  final class Census {
    let socket: ConntrackSocket
    let begun = Timestamp.monotonicClock()
    /// When it was complete: what was told of until then is in the listener's buffer.
    var completed: Timestamp?
    /// How far the conclusions have come.
    var place = 0
    /// The kernel lists by hash buckets: with another number of them connections are missed.
    let buckets = ConntrackSettings.buckets

    init() throws(SystemError) {
      socket = try ConntrackSocket(.listing)
      try socket.requestListing()
    }
  }

  /// From an overrun to the listing that finds what was lost: the burst may go on. Milliseconds.
  static let pause: Int64 = 500
  /// Between two listings while there are connections that may end without an event: so late their end may be told.
  /// Milliseconds.
  private static let interval: Int64 = 10_000
  /// A listing is not begun before this many times as long as the last one took have passed.
  private static let rest: Int64 = 20
  /// How long a listing that is due may wait for the listener to be read to its end. Milliseconds.
  private static let patience: Int64 = 30_000

  /// Behind an overrun the kernel drops every event, and says so no second time, until the socket was read to its end: a
  /// listing that is begun before would be out of date unnoticed.
  func beginCensusIfDue() {
    let now = Timestamp.monotonicClock()
    guard census == nil, now >= nextCensus else { return }
    guard isCaughtUp else {
      if now.milliseconds - nextCensus.milliseconds > Self.patience {
        trouble = "events come faster than they are read"
      }
      return
    }
    do throws(SystemError) {
      census = try Census()
      table.state.withLock { $0.beginCensus() }
    } catch {
      fail(error.description)
    }
  }

  private func fail(_ reason: String) {
    census = nil
    trouble = reason
    postponeCensus(by: 1000)
  }

  private func postponeCensus(by distance: Int64) {
    nextCensus = Timestamp.monotonicClock().advanced(byMilliseconds: distance)
  }

  /// Reads a part of the listing.
  func continueCensus() {
    guard let census, census.completed == nil else { return }
    let moment = moment
    var (isDone, isBroken, refusal) = (false, false, Int32(0))
    let result = table.state.withLock { ledger in
      census.socket.receive(most: Self.listingDatagrams) { bytes, message in
        if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isBroken = true }
        if message.type == NetlinkMessage.done { isDone = true }
        if message.type == NetlinkMessage.error { refusal = message.errorNumber(in: bytes) }
        guard ConntrackMessage.kind(message) == .new,
          let told = ConntrackMessage(bytes, attributes: Self.attributes(of: message))
        else { return }
        ledger.counted(told.connection, at: told.start, moment, &events)
      }
    }
    if refusal != 0 {
      fail(SystemError(code: refusal).description)
    } else if isBroken || (isDone && census.buckets != ConntrackSettings.buckets) {
      fail("it changed meanwhile")
    } else if result < 0, result != -Int(EAGAIN), result != -Int(EINTR) {
      fail(SystemError(code: Int32(-result)).description)
    } else if isDone {
      census.completed = .monotonicClock()
    }
  }

  /// Draws the conclusions from a complete listing once the events of until then have been read.
  func completeCensus() {
    guard let census, let completed = census.completed else { return }
    let now = Timestamp.monotonicClock()
    guard census.place > 0 || isCaughtUp || now.milliseconds - completed.milliseconds > 2000 else { return }
    let moment = moment
    let (isDone, hasSilent) = table.state.withLock { ledger in
      let isDone = ledger.endCensus(from: &census.place, limit: Self.mostListed, moment, &events)
      return (isDone, ledger.silentCount > 0)
    }
    guard isDone else { return }
    trouble = nil
    let taken = now.milliseconds - census.begun.milliseconds
    self.census = nil
    postponeCensus(by: hasSilent ? max(Self.interval, taken * Self.rest) : .max / 4)
  }
}
