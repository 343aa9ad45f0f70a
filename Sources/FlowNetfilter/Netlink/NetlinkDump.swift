// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket calls on a descriptor and memory of ours; the kernel writes within the buffer that it is given.

internal import CNetfilter
internal import FlowMeter
internal import Glibc

/// Asks the kernel for lists of what it has, over a netlink socket of its own. Blocks until a list is whole.
struct NetlinkDump: ~Copyable {
  private let descriptor: Int32
  private var sequence: UInt32 = 0
  /// The kernel's dumps come in pieces of at most 32 KiB.
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)

  /// How often a list is asked for again that was changed while it was told.
  private static let attempts = 10
  /// How long the kernel may take for the next piece. Seconds.
  private static let patience = 5

  /// - Parameter family: the netlink family, as NETLINK_ROUTE.
  init(_ family: Int32) throws(SystemError) {
    descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), family)
    guard descriptor >= 0 else { throw SystemError.last }
    var timeout = timeval(tv_sec: Self.patience, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// Lists what is there of one kind.
  ///
  /// - Parameters:
  ///   - type: of the request.
  ///   - headerLength: of the fixed part behind the netlink header, all zero, which asks for everything.
  ///   - read: makes something of a message, or nothing.
  mutating func list<Element>(
    _ type: Int32, headerLength: Int, _ read: (NetlinkMessage, RawSpan) -> Element?
  ) throws(SystemError) -> [Element] {
    for _ in 0..<Self.attempts {
      if let list = try attempt(type, headerLength, read) { return list }
    }
    throw SystemError(code: EINTR)
  }

  /// Nil where the list was changed while it was told.
  private mutating func attempt<Element>(
    _ type: Int32, _ headerLength: Int, _ read: (NetlinkMessage, RawSpan) -> Element?
  ) throws(SystemError) -> [Element]? {
    sequence += 1
    try request(type, headerLength)
    var (list, isWhole) = ([Element](), true)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress!, $0.count, 0) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw SystemError.last }
      let datagram = unsafe buffer.span.bytes.extracting(0..<count)
      var cursor = NetlinkCursor(0..<count)
      while let message = cursor.nextMessage(in: datagram) {
        guard message.sequence == sequence else { continue }
        if Int32(message.flags) & NLM_F_DUMP_INTR != 0 { isWhole = false }
        switch message.type {
        case NetlinkMessage.done, NetlinkMessage.error:
          let code = message.errorNumber(in: datagram)
          guard code == 0 else { throw SystemError(code: code) }
          return isWhole ? list : nil
        default:
          if let element = read(message, datagram) { list.append(element) }
        }
      }
    }
  }

  private func request(_ type: Int32, _ headerLength: Int) throws(SystemError) {
    var header = nlmsghdr()
    let length = MemoryLayout<nlmsghdr>.size + headerLength
    header.nlmsg_len = UInt32(length)
    header.nlmsg_type = UInt16(type)
    header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
    header.nlmsg_seq = sequence
    let sent = unsafe withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { octets in
      unsafe octets.initializeMemory(as: UInt8.self, repeating: 0)
      unsafe octets.storeBytes(of: header, as: nlmsghdr.self)
      return unsafe send(descriptor, octets.baseAddress!, octets.count, 0)
    }
    guard sent >= 0 else { throw SystemError.last }
  }
}
