// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: calls libpcap to open an interface, and poll on its descriptor.

internal import CPcap
internal import CShims
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
    /// The ring's size. Octets; default 64 MiB.
    public var bufferSize = 64 << 20
    /// A pcap-filter expression; empty takes every packet.
    public var filter = ""
    /// What is recorded beside; frames have hardware addresses. Default: nothing.
    public var details = RecordedDetails()

    public init() {}
  }

  public let name: String
  private let configuration: Configuration
  private let isPromiscuous: Atomic<Bool>
  private let clock: MeteringClock
  private var session: Session? { didSet { publish(session) } }
  private let publishedIndex = Atomic<UInt32>(0)
  /// Drops of sessions that have ended.
  private var earlierDrops = CaptureDrops()
  private var nextAttempt = Timestamp(milliseconds: 0)

  /// An interface while it is there.
  private final class Session {
    let handle: PcapHandle
    let descriptor: Int32
    let ifIndex: UInt32
    /// Whether its socket asks for frames to other hosts.
    var isPromiscuous: Bool

    init(handle: consuming PcapHandle, ifIndex: UInt32, isPromiscuous: Bool) {
      self.handle = handle
      self.descriptor = unsafe pcap_get_selectable_fd(self.handle.pcap)
      self.ifIndex = ifIndex
      self.isPromiscuous = isPromiscuous
    }
  }

  /// Opens the interface.
  ///
  /// - Parameters:
  ///   - name: the interface's name; `any` is all of them.
  ///   - configuration: how it is captured on; default: promiscuous, unfiltered, by a ring of 64 MiB.
  ///   - clock: gives the packets their time; the same for all sources of a table.
  /// - Throws: where the system refuses, with what to do.
  public init(
    name: String, _ configuration: Configuration = Configuration(), clock: MeteringClock
  ) throws(CaptureError) {
    self.name = name
    self.configuration = configuration
    self.clock = clock
    isPromiscuous = Atomic(configuration.promiscuous)
    let session = try Self.open(name, configuration)
    self.session = session
    publish(session)
  }

  /// The ifIndex of the interface that is captured on, whatever it is called by now; 0 while there is none, and of
  /// `any`. Any thread may ask.
  public var ifIndex: UInt32 { publishedIndex.load(ordering: .relaxed) }

  /// What its frames begin with, in libpcap's words; nil while there is no interface.
  public var linkTypeName: String? { session.map { unsafe PcapHandle.linkTypeName(of: $0.handle.pcap) } }

  private func publish(_ session: Session?) { publishedIndex.store(session?.ifIndex ?? 0, ordering: .relaxed) }

  /// Takes frames for other hosts too, or no longer: within a tenth of a second, without a packet lost. Any thread.
  public func setPromiscuous(_ isPromiscuous: Bool) { self.isPromiscuous.store(isPromiscuous, ordering: .relaxed) }

  /// Nothing where packets of all interfaces are captured: `any` asks none of them.
  private func setPromiscuous(of session: Session) {
    let wanted = isPromiscuous.load(ordering: .relaxed)
    guard wanted != session.isPromiscuous else { return }
    session.isPromiscuous = wanted
    if session.ifIndex != 0 { cshims_set_promiscuous(session.descriptor, session.ifIndex, wanted ? 1 : 0) }
  }

  public func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome {
    guard let session else { return reopen(within: timeout) }
    setPromiscuous(of: session)
    let reading = clock.reading()
    let details = configuration.details
    var result = session.handle.dispatch(into: &batch, ingressInterface: session.ifIndex, clock: reading, details)
    if result == 0, batch.count == 0 {
      // A ring whose block is not full shows nothing until the kernel retires the block: wait for that.
      wait(on: session.descriptor, timeout)
      result = session.handle.dispatch(
        into: &batch, ingressInterface: session.ifIndex, clock: clock.reading(), details)
    }
    guard result < 0 else { return .more }
    let reason = session.handle.lastError
    earlierDrops = drops()
    self.session = nil
    return .interrupted(.interface(name: name, reason: Self.words(reason), advice: "waiting for it to come back"))
  }

  private func wait(on descriptor: Int32, _ timeout: Duration) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    unsafe _ = poll(&entry, 1, timeout.wholeMilliseconds)
  }

  /// Once a second at most.
  private func reopen(within timeout: Duration) -> ReceiveOutcome {
    let now = Timestamp.monotonicClock()
    guard now >= nextAttempt else {
      _ = poll(nil, 0, timeout.wholeMilliseconds)
      return .more
    }
    nextAttempt = now.advanced(byMilliseconds: 1000)
    session = try? Self.open(name, configuration)
    return session == nil ? .more : .resumed
  }

  public func drops() -> CaptureDrops {
    var drops = earlierDrops
    var statistics = pcap_stat()
    if let session, unsafe pcap_stats(session.handle.pcap, &statistics) == 0 {
      drops.kernel += UInt64(statistics.ps_drop)
      drops.interface += UInt64(statistics.ps_ifdrop)
    }
    return drops
  }
}

extension CaptureInterface {
  private static func open(_ name: String, _ configuration: Configuration) throws(CaptureError) -> Session {
    let (created, message) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)) {
      errors in
      let base = errors.baseAddress!
      let pcap = unsafe pcap_create(name, base)
      return unsafe (pcap, pcap == nil ? String(cString: base) : "")
    }
    guard let pcap = unsafe created else {
      throw .interface(name: name, reason: words(message), advice: "see 'ip link'")
    }
    unsafe pcap_set_snaplen(pcap, Int32(configuration.snapLength))
    unsafe pcap_set_promisc(pcap, configuration.promiscuous ? 1 : 0)
    // Until a part-filled block is handed over; without it TPACKET_V3 keeps it for ever.
    unsafe pcap_set_timeout(pcap, 100)
    unsafe pcap_set_buffer_size(pcap, Int32(clamping: configuration.bufferSize))
    unsafe pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO)
    let result = unsafe pcap_activate(pcap)
    guard result >= 0 else {
      let error = error(name, result, unsafe String(cString: pcap_geterr(pcap)))
      unsafe pcap_close(pcap)
      throw error
    }
    // On "any", the newer cooked header names the interface of each packet.
    if unsafe pcap_datalink(pcap) == LinkType.linuxSLL.rawValue {
      unsafe pcap_set_datalink(pcap, LinkType.linuxSLL2.rawValue)
    }
    let linkTypeName = unsafe PcapHandle.linkTypeName(of: pcap)
    guard let handle = unsafe PcapHandle(adopting: pcap) else {
      throw .linkType(object: name, name: linkTypeName)
    }
    try handle.set(filter: configuration.filter)
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)) {
      unsafe _ = pcap_setnonblock(handle.pcap, 1, $0.baseAddress)
    }
    return unsafe Session(
      handle: handle, ifIndex: if_nametoindex(name), isPromiscuous: configuration.promiscuous)
  }

  private static func error(_ name: String, _ code: Int32, _ detail: String) -> CaptureError {
    switch code {
    case PCAP_ERROR_NO_SUCH_DEVICE:
      .interface(name: name, reason: "no such device", advice: "see 'ip link'")
    case PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED:
      .interface(
        name: name, reason: "operation not permitted", advice: "run as root or give CAP_NET_RAW")
    case PCAP_ERROR_IFACE_NOT_UP:
      .interface(name: name, reason: "the interface is down", advice: "see 'ip link set \(name) up'")
    default:
      .interface(name: name, reason: words(detail), advice: "see 'ip link'")
    }
  }

  private static func words(_ message: String) -> String {
    message.prefix(1).lowercased() + message.dropFirst()
  }
}
