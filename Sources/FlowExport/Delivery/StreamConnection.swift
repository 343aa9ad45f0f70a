// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket calls on a descriptor and memory of ours; octets are shown to the kernel for the call.

internal import CShims
internal import FlowMeter
internal import Glibc

/// A TCP connection to a Collector (RFC 7011 section 10.4), with TLS in it where that is wanted; never blocking.
@safe final class StreamConnection {
  enum Phase {
    case connecting
    case shakingHands
    /// The server may still refuse our certificate: until it says something, or for a while.
    case settling(until: Timestamp)
    case open
  }

  private let descriptor: Int32
  private let context: TLSContext?
  private var tls: TLSSession?
  private(set) var phase = Phase.connecting
  /// Octets that the socket took where there is no TLS.
  private var plainOctets: UInt64 = 0
  private var wants = Int16(POLLOUT)
  /// What the socket's send buffer may hold. Bytes, as the kernel reckons.
  let remote: ResolvedAddress

  /// Waiting for the first word behind a handshake of TLS 1.3. Milliseconds.
  private static let settling: Int64 = 1000
  /// An idle connection is tried after so many seconds, so often, so far apart.
  private static let keepAlive: (idle: Int32, count: Int32, interval: Int32) = (30, 3, 10)
  /// How long octets may stay unacknowledged, or unsent as the peer has no room. Milliseconds.
  private static let patience: Int32 = 120_000

  /// Begins to connect.
  ///
  /// - Parameter announce: told the session's addresses before its first segment leaves.
  init(
    to remote: ResolvedAddress, from destination: CollectorAddress, sendBuffer: Int, tls context: TLSContext?,
    announce: (OwnSession) -> Void
  ) throws(ExportError) {
    (self.remote, self.context) = (remote, context)
    // The address that the system would send from: of a socket that is not connected nobody knows it.
    let path = try UDPSession(
      to: remote, source: destination.source.map { ResolvedAddress($0.address, $0.version, port: 0) },
      device: destination.device, UDPSession.Configuration())
    let descriptor = socket(remote.family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw ExportError.last(.connect) }
    self.descriptor = descriptor
    if sendBuffer > 0 { set(SOL_SOCKET, SO_SNDBUF, Int32(clamping: sendBuffer)) }
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, Self.keepAlive.idle)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, Self.keepAlive.count)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, Self.keepAlive.interval)
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Self.patience)
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    if let device = destination.device {
      try check(unsafe setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, device, socklen_t(device.utf8.count)))
    }
    if var local = path.own.map({ ResolvedAddress($0.source, $0.version, port: 0) }) {
      unsafe try check(local.withSocketAddress { unsafe bind(descriptor, $0, $1) })
      local = ResolvedAddress(boundTo: descriptor) ?? local
      announce(
        OwnSession(
          source: local.address, destination: remote.address, version: remote.version, sourcePort: local.port,
          destinationPort: remote.port, protocol: .tcp))
    }
    let result = unsafe remote.withSocketAddress { unsafe connect(descriptor, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else { throw ExportError.last(.connect) }
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

  private func option(_ level: Int32, _ option: Int32) -> Int32 {
    var (value, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    return unsafe getsockopt(descriptor, level, option, &value, &length) == 0 ? value : 0
  }

  var isOpen: Bool { if case .open = phase { true } else { false } }

  /// What is in the send buffer and not acknowledged; without TLS octets of messages.
  var unacknowledged: Int {
    var octets = Int32(0)
    return unsafe ioctl(descriptor, UInt(TIOCOUTQ), &octets) == 0 ? Int(octets) : .max
  }

  /// Octets that were written so far: with TLS of what that makes of messages.
  var written: UInt64 { tls?.wireOctets ?? plainOctets }

  /// Those of them that the peer's TCP has acknowledged.
  var acknowledged: UInt64 {
    let (unacknowledged, written) = (UInt64(unacknowledged), written)
    return written > unacknowledged ? written - unacknowledged : 0
  }

  var sendBuffer: Int { Int(option(SOL_SOCKET, SO_SNDBUF)) }

  /// For poll(2): what there is to wait for, where `hasMore` says whether something is to be sent.
  func entry(hasMore: Bool) -> pollfd {
    let events: Int16 =
      switch phase {
      case .connecting: Int16(POLLOUT)
      case .shakingHands: wants
      case .settling: Int16(POLLIN)
      case .open: Int16(POLLIN) | (hasMore ? wants : 0)
      }
    return pollfd(fd: descriptor, events: events, revents: 0)
  }

  /// Goes on until messages may be sent.
  func advance(at now: Timestamp) throws(StreamFailure) {
    if case .connecting = phase {
      var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard unsafe poll(&entry, 1, 0) > 0 else { return }
      let code = option(SOL_SOCKET, SO_ERROR)
      guard code == 0 else { throw StreamFailure(code) }
      guard let context else {
        phase = .open
        return
      }
      tls = try TLSSession(context, on: descriptor)
      phase = .shakingHands
    }
    if case .shakingHands = phase, let tls {
      switch tls.shakeHands() {
      case .done:
        wants = Int16(POLLOUT)
        phase = tls.mayBeRefused ? .settling(until: now.advanced(byMilliseconds: Self.settling)) : .open
      case .wantsRead: wants = Int16(POLLIN)
      case .wantsWrite: wants = Int16(POLLOUT)
      case .closed: throw StreamFailure(reason: "it closed the connection during the TLS handshake")
      case .failed(let failure): throw failure
      }
    }
    if case .settling(let end) = phase {
      if now >= end { phase = .open }
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&entry, 1, 0) > 0 else { return }
      if try takeWords() { throw StreamFailure(reason: "it closed the connection behind the TLS handshake") }
      phase = .open
    }
  }

  /// Takes what the Collector says, which means nothing in IPFIX. True once it says no more.
  func takeWords() throws(StreamFailure) -> Bool {
    while true {
      if let tls {
        switch tls.read() {
        case .done: continue
        case .wantsRead, .wantsWrite: return false
        case .closed: return true
        case .failed(let failure): throw failure
        }
      }
      let count = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) {
        unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
      }
      if count == 0 { return true }
      guard count < 0 else { continue }
      if errno == EAGAIN || errno == EINTR { return false }
      throw StreamFailure(errno)
    }
  }

  /// Writes as much as there is room for of the octets from `start` on.
  ///
  /// - Returns: how many octets; 0 where there is no room now.
  func write(_ octets: [UInt8], from start: Int) throws(StreamFailure) -> Int {
    guard let tls else {
      let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
      let count = unsafe octets.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress! + start, $0.count - start, flags)
      }
      if count >= 0 {
        plainOctets += UInt64(count)
        return count
      }
      if errno == EAGAIN || errno == EINTR { return 0 }
      throw StreamFailure(errno)
    }
    switch unsafe octets.withUnsafeBytes({ unsafe tls.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }) {
    case .done(let count):
      wants = Int16(POLLOUT)
      return count
    case .wantsRead: wants = Int16(POLLIN)
    case .wantsWrite: wants = Int16(POLLOUT)
    case .closed: throw StreamFailure(EPIPE)
    case .failed(let failure): throw failure
    }
    return 0
  }

  /// Says that nothing more comes: the Collector reads to the end.
  func endSending() {
    tls?.end()
    shutdown(descriptor, Int32(SHUT_WR))
  }
}

/// Why a connection is there no longer.
struct StreamFailure: Error, Hashable {
  var reason: String
  /// Whether the peer's program may not have read what its TCP had acknowledged: its socket was closed with octets unread
  /// in it, or the host is gone. Behind an orderly end (EPIPE) it has read what came before.
  var mayLackAcknowledged = true

  init(reason: String, mayLackAcknowledged: Bool = true) {
    (self.reason, self.mayLackAcknowledged) = (reason, mayLackAcknowledged)
  }

  /// By the system call's error.
  init(_ code: Int32) { self.init(reason: SystemError(code: code).description, mayLackAcknowledged: code != EPIPE) }
}
