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
  /// How the kernel's events are received.
  public struct Configuration: Sendable {
    /// The socket's buffer. Octets; default 64 MiB: a second of 50 000 new connections a second.
    public var bufferSize = 64 << 20

    public init() {}
  }

  let table: NATTable
  private let log: NATEventLog?
  private let clock: MeteringClock
  private let listener: ConntrackSocket
  private var waiting = GatheringWait(gathering: 1)
  /// Whether the listener had nothing left when it was read last.
  private(set) var isCaughtUp = true
  /// What one round makes, for the log.
  var events: [NATEvent] = []

  /// The listing under way.
  var census: Census?
  var nextCensus = Timestamp(milliseconds: 0)
  /// Why conntrack's table cannot be listed; nil where it can.
  public internal(set) var trouble: String?

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
      let isMissing = [EPROTONOSUPPORT, EINVAL, ENOENT].contains(error.code)
      throw .netfilter(
        object: "conntrack's events", reason: error.description,
        advice: isMissing ? "load it: 'modprobe nf_conntrack_netlink'" : error.netlinkAdvice)
    }
    table.state.withLock { $0.listening = .wallClock() }
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
      waiting.wait(for: listener.descriptor, timeout)
      count = readEvents()
    }
    completeCensus()
    defer { events.removeAll(keepingCapacity: true) }
    return events.isEmpty ? false : log?.append(events) ?? false
  }

  /// The last rounds: the events that the kernel holds, and where connections may have ended without one, a last census.
  ///
  /// - Parameters:
  ///   - limit: how long it takes at most; a third of a second at least.
  ///   - isCrowded: called when the log should be taken soon.
  public func finish(within limit: Duration, isCrowded: () -> Void) {
    let start = Timestamp.monotonicClock()
    func hasPassed(_ milliseconds: Int64) -> Bool {
      Timestamp.monotonicClock().milliseconds - start.milliseconds >= milliseconds
    }
    if table.state.withLock({ $0.silentCount }) > 0 { nextCensus = Timestamp(milliseconds: 0) }
    repeat {
      if receive(timeout: .milliseconds(100)) { isCrowded() }
    } while !hasPassed(300) || (!hasPassed(limit.milliseconds) && (census != nil || !isCaughtUp))
  }

  /// What the kernel gave of ``Configuration/bufferSize``. Octets.
  public var grantedBuffer: Int { listener.grantedBuffer }

  /// No round makes more events: those of the listener's datagrams, those of a part of a listing, and as
  /// many conclusions.
  private static let mostEvents = ConntrackSocket.slots + 2 * mostListed
  /// How many connections a round takes of a listing, and how many it draws conclusions of: the exporter waits for the
  /// table meanwhile.
  static let mostListed = listingDatagrams * 512
  static let listingDatagrams = 8

  var moment: NATLedger.Moment { NATLedger.Moment(now: clock.now, wall: .wallClock()) }

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

  static func attributes(of message: NetlinkMessage) -> Range<Int> {
    let (start, end) = (message.payload.lowerBound, message.payload.upperBound)
    return min(start + NetlinkMessage.netfilterHeaderLength, end)..<end
  }
}
