// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: calls libnetfilter_conntrack to open sockets and to ask for a listing, and recvmmsg(2) into memory of its own;
// what lies there is shown as a span of the length that the kernel gave.

internal import CNetfilter
internal import CShims
internal import FlowMeter
internal import Glibc

/// A socket to conntrack: for its events, or for a listing of its table.
@safe struct ConntrackSocket: ~Copyable {
  /// The kernel's dumps come by 32 KiB at most; an event is far smaller.
  private static let slot = 32 << 10
  /// How many datagrams are received at once.
  static let slots = 64

  private let handle: OpaquePointer
  let descriptor: Int32
  /// The buffer as the kernel gave it. Octets.
  let grantedBuffer: Int
  private let memory: UnsafeMutableRawPointer

  enum Purpose {
    /// Events of connections that begin and end.
    case events(bufferSize: Int)
    /// A listing of all connections.
    case listing
  }

  init(_ purpose: Purpose) throws(SystemError) {
    let groups =
      switch purpose {
      case .events: UInt32(NF_NETLINK_CONNTRACK_NEW) | UInt32(NF_NETLINK_CONNTRACK_DESTROY)
      case .listing: UInt32(0)
      }
    guard let handle = unsafe nfct_open(UInt8(NFNL_SUBSYS_CTNETLINK), groups) else { throw .last }
    if case .events(let size) = purpose {
      grantedBuffer = unsafe setReceiveBuffer(nfct_nfnlh(handle), to: size)
    } else {
      grantedBuffer = 0
    }
    unsafe self.handle = unsafe handle
    descriptor = unsafe nfct_fd(handle)
    unsafe memory = .allocate(byteCount: Self.slot * Self.slots, alignment: 64)
  }

  deinit {
    unsafe nfct_close(handle)
    unsafe memory.deallocate()
  }

  /// Asks for the connections of both IP versions.
  func requestListing() throws(SystemError) {
    var family = UInt32(AF_UNSPEC)
    guard unsafe nfct_send(handle, NFCT_Q_DUMP, &family) >= 0 else { throw .last }
  }

  /// Takes the datagrams at hand without waiting, and shows each message.
  ///
  /// - Parameter most: how many datagrams; at most ``slots``.
  /// - Returns: how many datagrams there were, or -errno.
  func receive(most: Int = slots, _ body: (RawSpan, NetlinkMessage) -> Void) -> Int {
    unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.slots) { lengths in
      guard let first = lengths.baseAddress else { return 0 }
      let count = unsafe Int(
        cshims_receive_messages(descriptor, memory, Self.slot, first, Int32(min(most, Self.slots))))
      guard count >= 0 else { return -Int(errno) }
      for i in 0..<count {
        let length = unsafe min(Int(lengths[i]), Self.slot)
        let bytes = unsafe RawSpan(_unsafeStart: memory + i * Self.slot, byteCount: length)
        var cursor = NetlinkCursor(0..<length)
        while let message = cursor.nextMessage(in: bytes) { body(bytes, message) }
      }
      return count
    }
  }
}
