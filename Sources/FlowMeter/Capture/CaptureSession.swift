// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: calls libpcap to open an interface.

internal import CPcap
internal import CShims
internal import Glibc

/// An interface while it is there: one lane's ring.
///
/// Belongs to the thread of its lane once that has taken it.
final class CaptureSession: @unchecked Sendable {
  let handle: PcapHandle
  let descriptor: Int32
  /// 0: `any`.
  let ifIndex: UInt32
  /// Of the lanes' openings the one that it came by.
  let opening: Int
  /// Whether its socket asks for frames to other hosts.
  private var isPromiscuous: Bool
  /// When what came before it was to end has been read; nil: it goes on.
  private(set) var end: Timestamp?
  /// Whether packets come on, though it is to end: they could not be kept out.
  private var isOpenEnded = false

  private init(handle: consuming PcapHandle, ifIndex: UInt32, isPromiscuous: Bool, opening: Int) {
    self.handle = handle
    self.descriptor = unsafe pcap_get_selectable_fd(self.handle.pcap)
    self.ifIndex = ifIndex
    self.isPromiscuous = isPromiscuous
    self.opening = opening
  }

  /// Nothing where packets of all interfaces are captured: `any` asks none of them.
  func setPromiscuous(_ wanted: Bool) {
    guard wanted != isPromiscuous else { return }
    isPromiscuous = wanted
    if ifIndex != 0 { try? PacketSocket(descriptor: descriptor).setPromiscuous(wanted, on: ifIndex) }
  }

  /// Whether there is no such interface any more: then nothing more comes.
  var isGone: Bool {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) {
      unsafe ifIndex != 0 && if_indextoname(ifIndex, $0.baseAddress) == nil
    }
  }

  /// Whether it has gone on for the time that it had, and would for ever.
  var isOverdue: Bool { isOpenEnded && end.map { Timestamp.monotonicClock() >= $0 } ?? false }

  /// Takes no more packets; those in the ring can be read for the time that the kernel may hold them.
  func close(within holdTime: Duration) {
    guard end == nil else { return }
    do throws(SystemError) {
      try PacketSocket(descriptor: descriptor).cutFrames(at: 0)
    } catch {
      isOpenEnded = true
    }
    end = Timestamp.monotonicClock().advanced(byMilliseconds: holdTime.milliseconds)
  }

  /// Opens an interface for so many lanes, which get each of its packets once.
  ///
  /// - Parameter opening: what ``opening`` is to be.
  static func open(
    _ count: Int, of name: String, _ configuration: CaptureInterface.Configuration, opening: Int
  ) throws(CaptureError) -> [CaptureSession] {
    var configuration = configuration
    configuration.bufferSize /= count
    var sessions: [CaptureSession] = []
    for _ in 0..<count { sessions.append(try CaptureSession(name, configuration, opening, isAlone: count == 1)) }
    if count > 1 {
      do throws(SystemError) {
        try spread(sessions)
      } catch {
        throw refusal(name, error)
      }
    }
    for session in sessions { try session.begin(name, configuration) }
    return sessions
  }

  /// Takes the packets that are wanted, and of each no more than that: rings hold more then, and the kernel copies less.
  private func begin(
    _ name: String, _ configuration: CaptureInterface.Configuration
  ) throws(CaptureError) {
    // The kernel cuts packets where a filter says so; libpcap has its filters say it.
    guard configuration.filter.isEmpty else { return try handle.set(filter: configuration.filter) }
    do throws(SystemError) {
      try PacketSocket(descriptor: descriptor).cutFrames(at: UInt32(configuration.snapLength))
    } catch {
      throw Self.filterRefusal(name, error)
    }
  }

  /// Spreads the packets over the sessions, which take none before a filter is set.
  private static func spread(_ sessions: [CaptureSession]) throws(SystemError) {
    // A socket that has not joined the group gets every packet: so none may take any until all have.
    for session in sessions {
      let socket = PacketSocket(descriptor: session.descriptor)
      try socket.cutFrames(at: 0)
      try socket.bindToAllProtocols()
    }
    var group: UInt16?
    for session in sessions { group = try PacketSocket(descriptor: session.descriptor).join(group) }
  }

  /// Opens a ring.
  ///
  /// - Parameter isAlone: takes packets at once; otherwise none until it is told to.
  private convenience init(
    _ name: String, _ configuration: CaptureInterface.Configuration, _ opening: Int, isAlone: Bool
  ) throws(CaptureError) {
    let pcap = unsafe try Self.create(name)
    unsafe pcap_set_snaplen(pcap, Int32(configuration.snapLength))
    unsafe pcap_set_promisc(pcap, configuration.promiscuous ? 1 : 0)
    // Until a part-filled block is handed over; without it TPACKET_V3 keeps it for ever.
    unsafe pcap_set_timeout(pcap, 100)
    unsafe pcap_set_buffer_size(pcap, Int32(clamping: configuration.bufferSize))
    unsafe pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO)
    if !isAlone { unsafe pcap_set_protocol_linux(pcap, PacketSocket.noProtocol) }
    let result = unsafe pcap_activate(pcap)
    guard result >= 0 else {
      let error = Self.error(name, result, unsafe String(cString: pcap_geterr(pcap)))
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
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)) {
      unsafe _ = pcap_setnonblock(handle.pcap, 1, $0.baseAddress)
    }
    unsafe self.init(
      handle: handle, ifIndex: if_nametoindex(name), isPromiscuous: configuration.promiscuous, opening: opening)
  }

  private static func create(_ name: String) throws(CaptureError) -> OpaquePointer {
    let (created, message) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)) {
      errors in
      let base = errors.baseAddress!
      let pcap = unsafe pcap_create(name, base)
      return unsafe (pcap, pcap == nil ? String(cString: base) : "")
    }
    guard let pcap = unsafe created else {
      throw .interface(name: name, reason: words(message), advice: "see 'ip link'")
    }
    return unsafe pcap
  }
}

// MARK: What goes wrong

extension CaptureSession {
  private static let (goneReason, downReason) = ("no such device", "the interface is down")

  /// Why an interface that went away cannot be opened again; nil while it is not there, or down, which is waited for.
  static func refusal(_ name: String, afterReturn error: CaptureError) -> CaptureError? {
    guard case .interface(_, let reason, _) = error, reason != goneReason, reason != downReason else { return nil }
    return .interface(name: name, reason: reason, advice: "trying again every second")
  }

  /// Why frames cannot be cut.
  static func filterRefusal(_ name: String, _ error: SystemError) -> CaptureError {
    .interface(
      name: name, reason: "no filter can be set (\(error))",
      advice: error.code == ENOMEM ? "raise net.core.optmem_max" : "see whether a sandbox forbids it (SO_ATTACH_FILTER)"
    )
  }

  /// Why the packets cannot be spread.
  private static func refusal(_ name: String, _ error: SystemError) -> CaptureError {
    switch error.code {
    case ENETDOWN: self.error(name, PCAP_ERROR_IFACE_NOT_UP, "")
    case ENODEV: self.error(name, PCAP_ERROR_NO_SUCH_DEVICE, "")
    default:
      .interface(
        name: name, reason: "the kernel does not spread its packets over threads (\(error))",
        advice: "meter it by one thread")
    }
  }

  private static func error(_ name: String, _ code: Int32, _ detail: String) -> CaptureError {
    switch code {
    case PCAP_ERROR_NO_SUCH_DEVICE:
      .interface(name: name, reason: goneReason, advice: "see 'ip link'")
    case PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED:
      .interface(
        name: name, reason: "operation not permitted", advice: "run as root or give CAP_NET_RAW")
    case PCAP_ERROR_IFACE_NOT_UP:
      .interface(name: name, reason: downReason, advice: "see 'ip link set \(name) up'")
    default:
      .interface(name: name, reason: words(detail), advice: "see 'ip link'")
    }
  }

  static func words(_ message: String) -> String {
    message.prefix(1).lowercased() + message.dropFirst()
  }
}
