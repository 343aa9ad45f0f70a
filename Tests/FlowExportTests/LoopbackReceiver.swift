// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc

@testable import FlowExport

/// A UDP socket on the loopback interface, as a Collector has it.
final class LoopbackReceiver {
  private let descriptor: Int32
  let address: ResolvedAddress

  /// Opens the socket; nil where the machine has no such loopback address.
  init?(_ version: IPVersion) {
    let literal = version == .v4 ? "127.0.0.1" : "::1"
    let wanted = ResolvedAddress(IPAddress.parse(literal)!.address, version, port: 0)
    let descriptor = socket(wanted.family, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
    let bound = unsafe wanted.withSocketAddress { unsafe bind(descriptor, $0, $1) }
    guard bound == 0, let address = ResolvedAddress(boundTo: descriptor) else {
      close(descriptor)
      return nil
    }
    (self.descriptor, self.address) = (descriptor, address)
    // Nothing here takes long; who waits in vain shall fail and not hang.
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var size = Int32(1 << 20)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { close(descriptor) }

  static func exists(_ version: IPVersion) -> Bool { LoopbackReceiver(version) != nil }

  /// Takes datagrams from one other socket only: to all others nobody listens here, and the port stays taken.
  func refuseOthers() {
    let peer = ResolvedAddress(address.address, address.version, port: 9)
    unsafe _ = peer.withSocketAddress { unsafe connect(descriptor, $0, $1) }
  }

  /// Ends ``refuseOthers()``.
  func takeAll() {
    var nobody = sockaddr()
    nobody.sa_family = sa_family_t(AF_UNSPEC)
    unsafe connect(descriptor, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
    // What the kernel bound for the connection alone goes with it.
    unsafe _ = address.withSocketAddress { unsafe bind(descriptor, $0, $1) }
  }

  /// The next datagram; nil where none comes.
  func receive() -> [UInt8]? {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65_536) { buffer in
      let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
      return count < 0 ? nil : unsafe Array(buffer[..<count])
    }
  }

  /// So many datagrams, or as many as come.
  func receive(_ count: Int) -> [[UInt8]] {
    var datagrams: [[UInt8]] = []
    while datagrams.count < count, let datagram = receive() { datagrams.append(datagram) }
    return datagrams
  }

  /// Whether nothing more has arrived.
  var isEmpty: Bool {
    var octet: UInt8 = 0
    return unsafe recv(descriptor, &octet, 1, Int32(MSG_DONTWAIT)) < 0
  }
}

extension UDPSession {
  convenience init(to receiver: LoopbackReceiver) throws {
    try self.init(to: receiver.address, source: nil, device: nil, Configuration())
  }

  /// Lets the kernel refuse segmentation on this session, as an old one or a tunnel does: it needs checksums.
  func refuseSegmentation() {
    guard let port = own?.sourcePort else { return }
    for descriptor in 3..<Int32(1024) {
      guard ResolvedAddress(boundTo: descriptor)?.port == port else { continue }
      var on: Int32 = 1
      unsafe setsockopt(descriptor, SOL_SOCKET, SO_NO_CHECK, &on, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}

/// A batch of messages of these lengths, each with octets of its own.
func batch(lengths: [Int]) -> MessageBatch {
  var batch = MessageBatch()
  var message = MessageBuffer(capacity: MessageBatch.longestMessage)
  for (number, length) in lengths.enumerated() {
    message.removeAll()
    for octet in datagram(number, length) { message.append(octet) }
    batch.append(message, FlowTotals(flows: 1, packets: 2, octets: 3))
  }
  return batch
}

func datagram(_ number: Int, _ length: Int) -> [UInt8] {
  (0..<length).map { UInt8(truncatingIfNeeded: $0 == 0 ? number : $0 * 7 + number) }
}
