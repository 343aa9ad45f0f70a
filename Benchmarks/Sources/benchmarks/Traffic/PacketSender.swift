// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands a list's frames to the system call that sends them.

internal import CSystem
internal import FlowMeter
internal import Glibc

/// Sends frames out of an interface, at a rate or as fast as it goes, a batch at each call.
struct PacketSender: ~Copyable {
  private static let batch = 32
  private static let sendBuffer: Int32 = 64 << 20
  private static let linkHeader: UInt64 = 14

  private let socket: Int32
  private let frames: FrameList
  private var place = 0
  private var begin = 0.0
  private var rate = 0.0
  private var end = 0.0
  /// IP packets and octets since ``begin(rate:seconds:)``.
  private(set) var sent = FlowTotals()
  private(set) var seconds = 0.0

  init(_ frames: consuming FrameList, interface: String, in network: NetworkNamespace) throws(BenchmarkError) {
    socket = try network.perform { () throws(BenchmarkError) in
      let socket = unsafe csystem_open_packet_socket(interface, Self.sendBuffer)
      guard socket >= 0 else { throw BenchmarkError(cannot: "send from interface '\(interface)'") }
      return socket
    }
    self.frames = frames
  }

  deinit { close(socket) }

  /// - Parameter rate: packets a second; 0 is as fast as it goes.
  mutating func begin(rate: Double, seconds: Double) {
    (begin, self.rate, place, sent) = (Clock.seconds, rate, 0, FlowTotals())
    end = begin + seconds
  }

  /// Sends a batch, if it is time to; false when the time is over.
  mutating func send() throws(BenchmarkError) -> Bool {
    let now = Clock.seconds
    seconds = now - begin
    guard now < end else { return false }
    if rate > 0, Double(sent.packets) > seconds * rate {
      usleep(50)
      return true
    }
    var octets: UInt64 = 0
    let descriptor = socket
    let count = unsafe frames.withFrames(from: place, most: Self.batch) { batch in
      let count = unsafe csystem_send_frames(descriptor, batch.baseAddress!, UInt32(batch.count))
      for sent in 0..<max(0, Int(count)) { octets += unsafe UInt64(batch[sent].iov_len) - Self.linkHeader }
      return Int(count)
    }
    // No room: what was not sent comes again.
    guard count >= 0 || errno == ENOBUFS || errno == EAGAIN || errno == EINTR else {
      throw BenchmarkError(cannot: "send packets")
    }
    place = (place + max(0, count)) % frames.count
    sent.packets += UInt64(max(0, count))
    sent.octets += octets
    return true
  }
}
