// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands addresses and buffers of ours to the socket calls, each with its own length.

internal import CSystem
internal import FlowMeter
internal import Glibc

/// A UDP socket on this machine with a very large buffer, at which exported messages are counted.
@safe final class CollectorSocket {
  private static let slots = 64
  private static let slotLength = 1 << 16

  private let socket: Int32
  let port: UInt16
  private let buffer: UnsafeMutableRawBufferPointer
  private var lengths = [UInt32](repeating: 0, count: slots)
  private(set) var counter = MessageCounter()
  private var droppedBefore: UInt32 = 0

  /// On 127.0.0.1 of the network that the calling thread is in.
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
    unsafe buffer = .allocate(byteCount: Self.slots * Self.slotLength, alignment: 64)
    guard isBound else { throw BenchmarkError(cannot: "bind a socket") }
  }

  deinit {
    close(socket)
    unsafe buffer.deallocate()
  }

  /// Begins to count from nothing.
  func reset(watching network: UInt64? = nil) {
    while receive(forMilliseconds: 0) {}
    counter = MessageCounter(watching: network)
    droppedBefore = dropped
  }

  /// Takes what comes, up to a thousand messages, and waits for the first. False where none came.
  @discardableResult
  func receive(forMilliseconds timeout: Int32) -> Bool {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&descriptor, 1, timeout) > 0 else { return false }
    for _ in 0..<16 {
      let count = unsafe csystem_receive_messages(
        socket, buffer.baseAddress!, Self.slotLength, &lengths, UInt32(Self.slots))
      guard count > 0 else { break }
      for slot in 0..<Int(count) {
        let message = unsafe UnsafeRawBufferPointer(buffer)[slot * Self.slotLength..<(slot + 1) * Self.slotLength]
        counter.add(unsafe RawSpan(_unsafeBytes: message).extracting(first: Int(lengths[slot])))
      }
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

  /// Takes what is still on its way: until nothing has come for this long.
  func drain(quietMilliseconds: Int32 = 100) { while receive(forMilliseconds: quietMilliseconds) {} }

  /// What has been lost here or could not be read, in words; empty where nothing was.
  var remark: String {
    if droppedMessages > 0 { return "\(grouped(droppedMessages)) messages lost here for want of buffer" }
    return counter.undecoded > 0 ? "\(counter.undecoded) sets not decoded" : ""
  }

  /// Messages that came while the buffer was full.
  private var droppedMessages: Int { Int(dropped &- droppedBefore) }

  /// SK_MEMINFO_DROPS of SO_MEMINFO (sock_diag(7)).
  private var dropped: UInt32 {
    var values = InlineArray<9, UInt32>(repeating: 0)
    var length = socklen_t(MemoryLayout<InlineArray<9, UInt32>>.size)
    return unsafe getsockopt(socket, SOL_SOCKET, SO_MEMINFO, &values, &length) == 0 ? values[8] : 0
  }
}
