// SPDX-License-Identifier: Apache-2.0

public import FlowMeter
internal import CNetfilter
internal import Glibc
internal import Synchronization

/// Follows the translated connections of this network namespace: keeps a ``NATTable`` and logs NAT events.
///
/// The kernel makes no event of a connection's end that began before anybody listened, and drops events when the
/// socket's buffer is full. So conntrack's table is listed at the start, again now and then while such old connections
/// live, and after every overrun (a census); connections that are gone from the listing have ended.
///
/// Belongs to the thread that calls ``receive(timeout:)``.
public final class ConntrackEvents {
  public struct Configuration: Sendable {
    /// The socket's buffer. Octets; default 64 MiB: a second of 50 000 new connections a second.
    public var bufferSize = 64 << 20

    public init() {}
  }

  private let table: NATTable
  private let log: NATEventLog?
  private let clock: MeteringClock
  private let listener: ConntrackSocket
  private var census: Census?
  private var hasCensus = false
  private var nextCensus = Timestamp(milliseconds: 0)
  private var lastWakeUp = Timestamp(milliseconds: 0)
  /// Whether the listener had nothing left when it was read last.
  private var isCaughtUp = true
  /// What one round makes, for the log.
  private var events: [NATEvent] = []

  /// A listing under way.
  private final class Census {
    let socket: ConntrackSocket
    let isFirst: Bool
    let begun = Timestamp.monotonicClock()
    /// When it was complete: what was told of until then is in the listener's buffer.
    var completed: Timestamp?
    /// How far the conclusions have come.
    var place = 0

    init(isFirst: Bool) throws(SystemError) {
      socket = try ConntrackSocket(.listing)
      self.isFirst = isFirst
      try socket.requestListing()
    }
  }

  /// Begins to listen.
  ///
  /// - Parameter log: where NAT events go; nil: none are made, only the table is kept.
  public init(
    table: NATTable, log: NATEventLog?, _ configuration: Configuration, clock: MeteringClock
  ) throws(CaptureError) {
    self.table = table
    self.log = log
    self.clock = clock
    do throws(SystemError) {
      // Before the first census: what begins in between is told by both.
      listener = try ConntrackSocket(.events(bufferSize: configuration.bufferSize))
    } catch {
      let advice =
        error.code == EPERM ? "run as root or give CAP_NET_ADMIN" : "load it: 'modprobe nf_conntrack_netlink'"
      throw .netfilter(object: "conntrack's events", reason: error.description, advice: advice)
    }
  }

  /// One round: the events at hand, and a part of a census where one is due.
  ///
  /// - Parameter timeout: how long to wait for the first event.
  /// - Returns: whether the log should be taken soon.
  public func receive(timeout: Duration) -> Bool {
    // The kernel's buffer is the larger one, and what is lost there a census finds.
    if let log, log.room < Self.mostEvents {
      usleep(1000)
      return true
    }
    beginCensusIfDue()
    continueCensus()
    var count = readEvents()
    if count == 0, census == nil {
      wait(timeout)
      count = readEvents()
    }
    completeCensus()
    defer { events.removeAll(keepingCapacity: true) }
    return events.isEmpty ? false : log?.append(events) ?? false
  }

  /// The last rounds, for `limit` at most: the events that the kernel holds, and where connections may have ended without
  /// one, a last census.
  public func finish(within limit: Duration) {
    let end = Timestamp.monotonicClock().advanced(byMilliseconds: Int64(limit.wholeMilliseconds))
    if table.state.withLock({ $0.silentCount }) > 0 { nextCensus = Timestamp(milliseconds: 0) }
    repeat {
      _ = receive(timeout: .milliseconds(100))
    } while Timestamp.monotonicClock() < end
  }

  private func wait(_ timeout: Duration) {
    var entry = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&entry, 1, timeout.wholeMilliseconds) > 0 else { return }
    // While events follow each other closely, a few may gather: to wake up costs more than to read one.
    let now = Timestamp.monotonicClock()
    if now.milliseconds - lastWakeUp.milliseconds <= 2 { usleep(1000) }
    lastWakeUp = now
  }

  /// No round makes more events: 64 of the listener's, 64 datagrams of a listing, and as many conclusions.
  private static let mostEvents = 64 + 2 * mostListed
  private static let mostListed = 64 * 512

  private var moment: NATLedger.Moment { NATLedger.Moment(now: clock.now, wall: .wallClock()) }

  /// Returns how many datagrams there were.
  private func readEvents() -> Int {
    let moment = moment
    return table.state.withLock { ledger in
      let result = listener.receive { bytes, message in
        guard let kind = ConntrackMessage.kind(message),
          let told = ConntrackMessage(bytes, attributes: Self.attributes(of: message))
        else { return }
        switch kind {
        case .new: ledger.began(told.connection, at: told.start, moment, &events)
        case .destroy: ledger.ended(told.connection, at: told.stop, traffic: told.traffic, moment, &events)
        }
      }
      isCaughtUp = result != -Int(ENOBUFS) && result < ConntrackSocket.slots
      guard result == -Int(ENOBUFS) else { return max(0, result) }
      ledger.statistics.overruns += 1
      // The listing that is under way may have passed what was lost.
      census = nil
      nextCensus = min(nextCensus, Timestamp.monotonicClock().advanced(byMilliseconds: Self.pause))
      return 1
    }
  }

  private static func attributes(of message: NetlinkMessage) -> Range<Int> {
    min(
      message.payload.lowerBound + ConntrackMessage.headerLength, message.payload.upperBound)..<message.payload
      .upperBound
  }
}

// MARK: Census

extension ConntrackEvents {
  /// From an overrun to the listing that finds what was lost: the burst may go on. Milliseconds.
  private static let pause: Int64 = 500
  /// Between two listings while there are connections that may end without an event: so late their end may be told.
  /// Milliseconds.
  private static let interval: Int64 = 10_000
  /// A listing is not begun before this many times as long as the last one took have passed.
  private static let rest: Int64 = 20

  /// Behind an overrun the kernel drops every event, and says so no second time, until the socket was read to its end: a
  /// listing that is begun before would be out of date unnoticed.
  private func beginCensusIfDue() {
    guard census == nil, isCaughtUp, Timestamp.monotonicClock() >= nextCensus else { return }
    do throws(SystemError) {
      census = try Census(isFirst: !hasCensus)
      table.state.withLock { $0.beginCensus() }
    } catch {
      postponeCensus(by: 1000)
    }
  }

  private func postponeCensus(by distance: Int64) {
    nextCensus = Timestamp.monotonicClock().advanced(byMilliseconds: distance)
  }

  /// Reads a part of the listing.
  private func continueCensus() {
    guard let census, census.completed == nil else { return }
    let moment = moment
    var (isDone, isBroken) = (false, false)
    let result = table.state.withLock { ledger in
      census.socket.receive { bytes, message in
        if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isBroken = true }
        if message.type == NetlinkMessage.done { isDone = true }
        if message.type == NetlinkMessage.error { isBroken = true }
        guard ConntrackMessage.kind(message) == .new,
          let told = ConntrackMessage(bytes, attributes: Self.attributes(of: message))
        else { return }
        ledger.counted(told.connection, at: told.start, isFirst: census.isFirst, moment, &events)
      }
    }
    if isBroken || (result < 0 && result != -Int(EAGAIN) && result != -Int(EINTR)) {
      self.census = nil
      postponeCensus(by: 1000)
    } else if isDone {
      census.completed = .monotonicClock()
    }
  }

  /// Draws the conclusions from a complete listing once the events of until then have been read.
  private func completeCensus() {
    guard let census, let completed = census.completed else { return }
    let now = Timestamp.monotonicClock()
    guard census.place > 0 || isCaughtUp || now.milliseconds - completed.milliseconds > 2000 else { return }
    let moment = moment
    let (isDone, hasSilent) = table.state.withLock { ledger in
      let isDone = ledger.endCensus(from: &census.place, limit: Self.mostListed, moment, &events)
      return (isDone, ledger.silentCount > 0)
    }
    guard isDone else { return }
    hasCensus = true
    let taken = now.milliseconds - census.begun.milliseconds
    self.census = nil
    postponeCensus(by: hasSilent ? max(Self.interval, taken * Self.rest) : .max / 4)
  }
}
