// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands addresses and buffers of ours to the socket calls, each with its own length.

internal import FlowMeter
internal import Glibc

/// A UDP socket on this machine with a very large buffer, at which exported messages are counted.
final class CollectorSocket {
  private let socket: Int32
  let port: UInt16
  private var message = [UInt8](repeating: 0, count: 65_536)
  private var counter = IPFIXCounter()
  private var droppedBefore: UInt32 = 0

  init() throws(BenchmarkError) {
    socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    guard socket >= 0 else { throw BenchmarkError(cannot: "open a socket") }
    // An exporter at full speed outruns a reader for a while: what it sends waits here. Only root may have so much.
    var size: Int32 = 1 << 30
    let length = socklen_t(MemoryLayout<Int32>.size)
    if unsafe setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, length) != 0 {
      unsafe setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, length)
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var addressLength = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = socket
    let isBound = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, addressLength) == 0 && getsockname(descriptor, $0, &addressLength) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard isBound else { throw BenchmarkError(cannot: "bind a socket") }
  }

  deinit { close(socket) }

  /// Begins to count from nothing.
  func reset() {
    _ = receive(forMilliseconds: 0)
    counter = IPFIXCounter()
    droppedBefore = dropped
  }

  /// Takes what comes, up to a thousand messages, and waits for the first. False where none came.
  func receive(forMilliseconds timeout: Int32) -> Bool {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&descriptor, 1, timeout) > 0 else { return false }
    for _ in 0..<1000 {
      let length = unsafe recv(socket, &message, message.count, Int32(MSG_DONTWAIT))
      guard length >= 0 else { break }
      counter.add(message, length: length)
    }
    return true
  }

  /// Another socket, connected to this one.
  func connected() throws(BenchmarkError) -> Int32 {
    let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let isConnected = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { throw BenchmarkError(cannot: "connect a socket") }
    return descriptor
  }

  var totals: FlowTotals { counter.totals }
  var undecoded: Int { counter.undecoded }
  /// Messages that came while the buffer was full.
  var droppedMessages: Int { Int(dropped &- droppedBefore) }

  /// SK_MEMINFO_DROPS of SO_MEMINFO (sock_diag(7)).
  private var dropped: UInt32 {
    var values = InlineArray<9, UInt32>(repeating: 0)
    var length = socklen_t(MemoryLayout<InlineArray<9, UInt32>>.size)
    return unsafe getsockopt(socket, SOL_SOCKET, SO_MEMINFO, &values, &length) == 0 ? values[8] : 0
  }
}
