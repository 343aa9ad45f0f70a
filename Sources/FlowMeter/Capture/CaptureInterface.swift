// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: asks libpcap for drops, and polls on its descriptor.

internal import CPcap
internal import Glibc
internal import Synchronization

/// The packets that an interface sends and receives, by a ring that it shares with the kernel (TPACKET_V3).
///
/// When the interface goes away it waits and opens it again.
public final class CaptureInterface: PacketSource {
  /// How an interface is captured on.
  public struct Configuration: Sendable {
    /// Whether frames for other hosts are taken too. Default: they are.
    public var promiscuous = true
    /// How much of a frame is captured. Octets; default 256, which holds every header that is decoded; at least 64.
    /// Octets are counted by the IP header, whatever is captured.
    public var snapLength = 256
    /// The ring's size; of several lanes, of all their rings together. Octets; default 64 MiB.
    public var bufferSize = 64 << 20
    /// A pcap-filter expression; empty takes every packet.
    public var filter = ""
    /// What is recorded beside; frames have hardware addresses. Default: nothing.
    public var details = RecordedDetails()

    public init() {}
  }

  public let name: String
  private let details: RecordedDetails
  private let isPromiscuous: Atomic<Bool>
  private let clock: MeteringClock
  private let lanes: CaptureLanes
  /// Which of the lanes it is, from 0.
  private let lane: Int
  private var session: CaptureSession? { didSet { publish(session) } }
  private let publishedIndex = Atomic<UInt32>(0)
  /// Whether a session was given up whose end the lanes have not been told.
  private var isLeaving = false
  /// Those of sessions that have ended among them.
  private var kernelDrops: UInt64 = 0
  /// What libpcap said last of this session.
  private var kernelReading: UInt32 = 0
  private var interfaceDrops = InterfaceDropCounter()

  /// Opens the interface.
  ///
  /// - Parameters:
  ///   - name: the interface's name; `any` is all of them.
  ///   - configuration: how it is captured on; default: promiscuous, unfiltered, by a ring of 64 MiB.
  ///   - clock: gives the packets their time; the same for all sources of a table.
  /// - Throws: where the system refuses, with what to do.
  public convenience init(
    name: String, _ configuration: Configuration = Configuration(), clock: MeteringClock
  ) throws(CaptureError) {
    try self.init(CaptureLanes(1, of: name, configuration), 0, clock)
  }

  private init(_ lanes: CaptureLanes, _ lane: Int, _ clock: MeteringClock) throws(CaptureError) {
    name = lanes.name
    details = lanes.configuration.details
    isPromiscuous = Atomic(lanes.configuration.promiscuous)
    (self.lanes, self.lane, self.clock) = (lanes, lane, clock)
    session = try lanes.take(lane)?.session
    publish(session)
    readDrops()
  }

  deinit { if session != nil || isLeaving { lanes.leave() } }

  /// Opens the interface for several threads, each with a source and a ring of its own.
  ///
  /// Each packet comes to one of them, those of a conversation to the same one, and so do all fragments of a datagram;
  /// while a ring is full, its packets go to others (PACKET_FANOUT_HASH with PACKET_FANOUT_FLAG_ROLLOVER). When the
  /// interface goes away and comes back, they open it again together: all of them are to be received from.
  ///
  /// - Parameters:
  ///   - count: how many; at least 1, at most 256.
  ///   - name: the interface's name; `any` is all of them.
  ///   - configuration: how it is captured on; default: promiscuous, unfiltered, by rings of 64 MiB together.
  ///   - clock: gives the packets their time; the same for all sources of a table.
  /// - Throws: where the system refuses, with what to do.
  public static func lanes(
    _ count: Int, of name: String, _ configuration: Configuration = Configuration(), clock: MeteringClock
  ) throws(CaptureError) -> [CaptureInterface] {
    let lanes = try CaptureLanes(count, of: name, configuration)
    var sources: [CaptureInterface] = []
    for lane in 0..<count { sources.append(try CaptureInterface(lanes, lane, clock)) }
    return sources
  }

  /// The ifIndex of the interface that is captured on, whatever it is called by now; 0 while there is none, and of
  /// `any`. Any thread may ask.
  public var ifIndex: UInt32 { publishedIndex.load(ordering: .relaxed) }

  /// What its frames begin with, in libpcap's words; nil while there is no interface.
  public var linkTypeName: String? { session.map { unsafe PcapHandle.linkTypeName(of: $0.handle.pcap) } }

  private func publish(_ session: CaptureSession?) { publishedIndex.store(session?.ifIndex ?? 0, ordering: .relaxed) }

  /// Takes frames for other hosts too, or no longer: within a tenth of a second, without a packet lost. Any thread.
  public func setPromiscuous(_ isPromiscuous: Bool) { self.isPromiscuous.store(isPromiscuous, ordering: .relaxed) }

  public func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome {
    guard let session else { return reopen(within: timeout) }
    // Another lane's ring has failed, and all are to be opened again.
    if session.opening != lanes.opening { session.close(within: holdTime) }
    session.setPromiscuous(isPromiscuous.load(ordering: .relaxed))
    let reading = clock.reading()
    var result = session.handle.dispatch(into: &batch, ingressInterface: session.ifIndex, clock: reading, details)
    if result == 0, batch.count == 0 {
      // A ring whose block is not full shows nothing until the kernel retires the block: wait for that.
      wait(on: session.descriptor, timeout)
      result = session.handle.dispatch(
        into: &batch, ingressInterface: session.ifIndex, clock: clock.reading(), details)
    }
    if result > 0, !session.isOverdue { return .more }
    if let end = session.end {
      finish(session, at: end, hasFailed: result < 0, timeout)
      return .more
    }
    return result < 0 ? fail(session) : .more
  }

  private func fail(_ session: CaptureSession) -> ReceiveOutcome {
    let reason = session.handle.lastError
    let isFirst = lanes.fail(session)
    // What came before the interface went is read; another error would come again, with the packets before it.
    if session.isGone { session.close(within: holdTime) } else { give(up: session) }
    guard isFirst else { return .more }
    return .interrupted(
      .interface(name: name, reason: CaptureSession.words(reason), advice: "waiting for it to come back"))
  }

  /// Of a session that is being closed, when nothing is at hand.
  private func finish(_ session: CaptureSession, at end: Timestamp, hasFailed: Bool, _ timeout: Duration) {
    if Timestamp.monotonicClock() >= end || hasFailed && !session.isGone {
      give(up: session)
    } else if hasFailed {
      pause(timeout)
    }
  }

  private func wait(on descriptor: Int32, _ timeout: Duration) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    unsafe _ = poll(&entry, 1, timeout.wholeMilliseconds)
  }

  private func give(up session: CaptureSession) {
    readDrops()
    kernelReading = 0
    interfaceDrops.beginAnew()
    self.session = nil
    isLeaving = true
  }

  /// Short enough for a ring that fills already, opened by another lane.
  private func pause(_ timeout: Duration) { _ = poll(nil, 0, min(timeout, .milliseconds(10)).wholeMilliseconds) }

  private func reopen(within timeout: Duration) -> ReceiveOutcome {
    // The ring that was given up is closed by now: who opens all anew finds none of the old ones.
    if isLeaving { lanes.leave() }
    isLeaving = false
    do throws(CaptureError) {
      guard let (session, isFirst) = try lanes.take(lane) else {
        pause(timeout)
        return .more
      }
      self.session = session
      return isFirst ? .resumed : .more
    } catch {
      return .interrupted(error)
    }
  }

  public func drops() -> CaptureDrops {
    readDrops()
    return CaptureDrops(kernel: kernelDrops, interface: interfaceDrops.total)
  }

  private func readDrops() {
    var statistics = pcap_stat()
    guard let session, unsafe pcap_stats(session.handle.pcap, &statistics) == 0 else { return }
    // It has 32 bits, and wraps.
    kernelDrops &+= UInt64(statistics.ps_drop &- kernelReading)
    kernelReading = statistics.ps_drop
    // The interface's are those of all its rings.
    if lane == 0, session.ifIndex != 0 { interfaceDrops.read(ofInterface: session.ifIndex) }
  }
}
