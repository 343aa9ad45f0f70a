// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket calls on descriptors and memory of ours; messages are shown to the kernel within their batch.

internal import CShims
internal import FlowMeter
internal import Glibc

/// A Transport Session over UDP (RFC 7011 section 10.3): one connected socket, never blocking.
final class UDPSession: TransportSession {
  struct Configuration: Sendable {
    /// The socket's send buffer, octets; 0 leaves the system's default.
    var sendBuffer = 0
  }

  private let descriptor: Int32
  private let remote: ResolvedAddress
  /// What the system granted, octets.
  private let sendBuffer: Int
  /// Whether several messages of one length may leave in one call (UDP_SEGMENT, Linux 4.18).
  private var segments = true
  /// The least that the path's MTU has been since the session began.
  private var leastMTU = Int.max

  /// Until when a full send buffer is not waited for: the last wait was in vain, and other destinations wait too.
  private var impatientUntil = Timestamp(milliseconds: 0)

  /// How often, and how long each time, to wait for room in the send buffer before messages are given up.
  private static let waits: (count: Int, milliseconds: Int32) = (10, 20)
  /// The kernel takes at most this many segments, and this many octets, in one call.
  private static let mostSegments = 64
  private static let mostOctets = 65_000

  /// Opens, binds and connects the socket.
  init(
    to remote: ResolvedAddress, source: ResolvedAddress?, device: String?, _ configuration: Configuration
  ) throws(ExportError) {
    self.remote = remote
    let descriptor = socket(remote.family, Int32(SOCK_DGRAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw ExportError.last(.connect) }
    self.descriptor = descriptor
    var granted = Int32(0)
    var length = socklen_t(MemoryLayout<Int32>.size)
    if configuration.sendBuffer > 0 {
      var wanted = Int32(clamping: configuration.sendBuffer)
      unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &wanted, length)
    }
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &granted, &length)
    sendBuffer = Int(granted)
    // RECVERR: without it Linux calls a datagram sent that its own queue has dropped (ENOBUFS).
    // Datagrams are made to fit the path (see messageLimit). One that is longer than the kernel knows the path to take is
    // fragmented here. One that left before it knew comes back from the router; but what leaves in segments over IPv4 has
    // no DF, and the router fragments it.
    if remote.family == AF_INET {
      set(Int32(IPPROTO_IP), IP_MTU_DISCOVER, IP_PMTUDISC_WANT)
      set(Int32(IPPROTO_IP), IP_RECVERR, 1)
    } else {
      set(Int32(IPPROTO_IPV6), IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT)
      set(Int32(IPPROTO_IPV6), IPV6_RECVERR, 1)
    }
    if let device {
      let result = unsafe setsockopt(
        descriptor, SOL_SOCKET, SO_BINDTODEVICE, device, socklen_t(device.utf8.count))
      try check(result)
    }
    if let source { unsafe try check(source.withSocketAddress { unsafe bind(descriptor, $0, $1) }) }
    unsafe try check(remote.withSocketAddress { unsafe connect(descriptor, $0, $1) })
  }

  /// As the destination and the configuration want it: the source address, the device, the send buffer.
  convenience init(
    to remote: ResolvedAddress, from destination: CollectorAddress, _ configuration: ExportConfiguration
  ) throws(ExportError) {
    let source = destination.source.map { ResolvedAddress($0.address, $0.version, port: 0) }
    try self.init(
      to: remote, source: source, device: destination.device, Configuration(sendBuffer: configuration.sendBuffer))
  }

  deinit { close(descriptor) }

  private func check(_ result: Int32) throws(ExportError) {
    guard result != 0 else { return }
    throw ExportError.last(.connect)
  }

  private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// The path's MTU less IP and UDP headers: the least that it has been in this session.
  ///
  /// The kernel forgets a router's word after ten minutes (net.ipv4.route.mtu_expires), and what then left at full length
  /// would be lost again. A local MTU that is raised looks the same, and waits for the next session too: smaller messages
  /// cost little.
  var messageLimit: Int? {
    leastMTU = min(leastMTU, pathMTU ?? .max)
    return leastMTU == .max ? nil : leastMTU - (remote.family == AF_INET ? 20 : 40) - 8
  }

  /// The longest packet that the path takes, as far as the kernel knows it. Octets.
  var pathMTU: Int? {
    var (mtu, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    let result =
      unsafe remote.family == AF_INET
      ? getsockopt(descriptor, Int32(IPPROTO_IP), IP_MTU, &mtu, &length)
      : getsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_MTU, &mtu, &length)
    return result == 0 && mtu > 0 ? Int(mtu) : nil
  }

  var sendQueue: SendQueue {
    var queue = SendQueue(capacity: sendBuffer)
    var used = Int32(0)
    if unsafe ioctl(descriptor, UInt(TIOCOUTQ), &used) == 0 { queue.used = Int(used) }
    return queue
  }

  var own: OwnSession? {
    guard let local = ResolvedAddress(boundTo: descriptor) else { return nil }
    return OwnSession(
      source: local.address, destination: remote.address, version: remote.version, sourcePort: local.port,
      destinationPort: remote.port)
  }

  /// The last one: the kernel keeps no more than the error that it was.
  func takeAnswer() -> SendAnswer? {
    var (code, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0, code != 0 else { return nil }
    let returned = takeErrors()
    // A router's word on what passes: messageLimit follows it.
    if code == EMSGSIZE { return .tooLong(max(1, returned.count)) }
    return code == ECONNREFUSED ? .refused : .failed(ExportError(.other, reason: SystemError(code: code).description))
  }

  func send(_ batch: borrowing MessageBatch, _ range: Range<Int>) -> SendOutcome {
    var outcome = SendOutcome()
    var offset = batch.offset(of: range.lowerBound)
    var (waits, answers, single, fits) = (0, 0, !segments, true)
    while range.lowerBound + outcome.sent < range.upperBound {
      let next = range.lowerBound + outcome.sent
      let sent = sendSome(batch, next..<range.upperBound, at: offset, inSegments: !single)
      if sent > 0 {
        for i in next..<next + sent { offset += Int(batch.lengths[i]) }
        outcome.sent += sent
        // What would not leave in segments left by itself: the path has no use for them.
        if single, fits { segments = false }
        // Why sendmmsg ended early it does not tell.
        if single, outcome.sent < range.count { outcome.note(takeErrors()) }
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN, ENOBUFS:
        waits += 1
        guard waits <= Self.waits.count, waitForRoom() else {
          impatientUntil = Timestamp.monotonicClock().advanced(byMilliseconds: 1000)
          return outcome.failed(.bufferFull)
        }
      default:
        let error = SystemError.last
        let returned = takeErrors()
        let isFitting = Int(batch.lengths[next]) <= messageLimit ?? .max
        if returned.count == 0, Self.isAboutMessage(error, fits: isFitting) {
          guard !single else { return outcome.failed(error) }
          (single, fits) = (true, isFitting)
          continue
        }
        answers += 1
        guard returned.count > 0 || [ECONNREFUSED, EMSGSIZE].contains(error.code), answers <= range.count + 1 else {
          return outcome.failed(error)
        }
        // The answer to earlier datagrams; this one has not been tried.
        outcome.note(returned.count > 0 ? returned : ReturnedDatagrams(error))
      }
    }
    return outcome
  }

  /// Whether the kernel will not have the message, or not in segments; else something has come back.
  ///
  /// - Parameter fits: whether the path takes it.
  private static func isAboutMessage(_ error: SystemError, fits: Bool) -> Bool {
    [EIO, EINVAL, EOPNOTSUPP].contains(error.code) || error.code == EMSGSIZE && !fits
  }

  /// One system call: as many messages of one length as there are, or as many as there are. Returns how many left, or
  /// 0 with errno.
  private func sendSome(
    _ batch: borrowing MessageBatch, _ range: Range<Int>, at offset: Int, inSegments: Bool
  ) -> Int {
    let start = unsafe batch.octets.bytes + offset
    let first = batch.lengths[range.lowerBound]
    var (count, octets) = (0, 0)
    if inSegments {
      // All of the first one's length; the last may be shorter.
      for i in range {
        let length = batch.lengths[i]
        guard length <= first, count < Self.mostSegments, octets + Int(length) <= Self.mostOctets else { break }
        count += 1
        octets += Int(length)
        if length < first { break }
      }
    }
    if count > 1 {
      return unsafe cshims_send_segments(descriptor, start, octets, first) < 0 ? 0 : count
    }
    let sent = unsafe batch.lengths.withUnsafeBufferPointer {
      unsafe cshims_send_messages(
        descriptor, start, $0.baseAddress! + range.lowerBound, Int32(inSegments ? 1 : range.count))
    }
    return max(0, Int(sent))
  }

  /// False where it is not worth it.
  private func waitForRoom() -> Bool {
    let (code, now) = (errno, Timestamp.monotonicClock())
    defer { errno = code }
    guard now >= impatientUntil else { return false }
    if code == ENOBUFS {
      // The interface's queue is full; of that the socket knows nothing.
      usleep(UInt32(Self.waits.milliseconds) * 1000)
      return true
    }
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&entry, 1, Self.waits.milliseconds) >= 0
  }

  /// Empties the queue of errors, also of the one that the next send would have told.
  private func takeErrors() -> ReturnedDatagrams {
    var (returned, code) = (ReturnedDatagrams(), Int32(0))
    while unsafe cshims_take_error(descriptor, &code) == 0 { returned.add(SystemError(code: code)) }
    return returned
  }
}

/// Datagrams that came back.
private struct ReturnedDatagrams {
  private(set) var count = 0
  /// Of them those that were longer than the path takes.
  private(set) var tooLong = 0
  /// Of the last one.
  private(set) var error: SystemError?

  init() {}

  init(_ error: SystemError) { add(error) }

  mutating func add(_ error: SystemError) {
    count += 1
    if error.code == EMSGSIZE { tooLong += 1 }
    self.error = error
  }
}

extension SendOutcome {
  fileprivate mutating func note(_ returned: ReturnedDatagrams) {
    guard let error = returned.error else { return }
    refusals += returned.count
    tooLong += returned.tooLong
    refusal = error.description
  }

  /// With the system call's error.
  fileprivate func failed(_ kind: ExportError.Kind) -> SendOutcome {
    var outcome = self
    outcome.error = .last(kind)
    return outcome
  }

  fileprivate func failed(_ error: SystemError) -> SendOutcome {
    var outcome = self
    outcome.error = ExportError(.other, reason: error.description)
    return outcome
  }
}
