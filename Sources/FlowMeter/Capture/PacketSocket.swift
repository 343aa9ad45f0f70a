// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket options and addresses from and to values of ours.

internal import CShims
internal import Glibc

/// The packet socket of a live libpcap handle (packet(7)): what libpcap has no function for.
struct PacketSocket {
  let descriptor: Int32

  /// A protocol number that is a length where Ethernet has it: no frame brings it, and a socket for it stays empty.
  static let noProtocol = ETH_P_SNAP

  /// How a group's packets are spread: by a hash of addresses, ports and protocol that is the same for both directions;
  /// of fragments by their addresses and protocol, so that all of a datagram come to one. What a ring has no room for
  /// goes to one that has.
  private static let spreading = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_ROLLOVER

  /// Has the kernel cut frames at so many octets, or take none at 0: in place of any filter that was there.
  func cutFrames(at octets: UInt32) throws(SystemError) {
    var instruction = sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: octets)
    try unsafe withUnsafeMutablePointer(to: &instruction) { instruction throws(SystemError) in
      var program = unsafe sock_fprog(len: 1, filter: instruction)
      try unsafe set(SOL_SOCKET, SO_ATTACH_FILTER, &program)
    }
  }

  /// Has the socket ask its interface for frames to other hosts, or no longer.
  func setPromiscuous(_ isPromiscuous: Bool, on interface: UInt32) throws(SystemError) {
    var membership = packet_mreq()
    membership.mr_ifindex = Int32(bitPattern: interface)
    membership.mr_type = UInt16(PACKET_MR_PROMISC)
    try set(SOL_PACKET, isPromiscuous ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &membership)
  }

  /// Takes frames of every protocol, where it is bound already.
  func bindToAllProtocols() throws(SystemError) {
    var address = sockaddr_ll()
    let size = socklen_t(MemoryLayout<sockaddr_ll>.size)
    var length = size
    try unsafe named(&address) { unsafe getsockname(descriptor, $0, &length) }
    address.sll_protocol = UInt16(ETH_P_ALL).bigEndian
    try unsafe named(&address) { unsafe bind(descriptor, $0, size) }
    // An interface that is down is bound to, and said to be down by the next call.
    let code = try get(SOL_SOCKET, SO_ERROR)
    guard code == 0 else { throw SystemError(code: code) }
  }

  /// Shares the interface's packets from now on with the sockets of a group: each packet comes to one of them.
  ///
  /// - Parameter group: nil makes one that no other program has.
  /// - Returns: the group.
  func join(_ group: UInt16?) throws(SystemError) -> UInt16 {
    let flags = Self.spreading | (group == nil ? PACKET_FANOUT_FLAG_UNIQUEID : 0)
    var argument = Int32(group ?? 0) | flags << 16
    try set(SOL_PACKET, PACKET_FANOUT, &argument)
    return UInt16(truncatingIfNeeded: try get(SOL_PACKET, PACKET_FANOUT))
  }

  private func get(_ level: Int32, _ option: Int32) throws(SystemError) -> Int32 {
    var (value, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
    guard unsafe getsockopt(descriptor, level, option, &value, &size) == 0 else { throw .last }
    return value
  }

  private func set<Value>(_ level: Int32, _ option: Int32, _ value: inout Value) throws(SystemError) {
    let result = unsafe withUnsafeBytes(of: &value) {
      unsafe setsockopt(descriptor, level, option, $0.baseAddress, socklen_t($0.count))
    }
    guard result == 0 else { throw .last }
  }

  private func named(
    _ address: inout sockaddr_ll, _ call: (UnsafeMutablePointer<sockaddr>) -> Int32
  ) throws(SystemError) {
    let result = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1, call)
    }
    guard result == 0 else { throw .last }
  }
}
