// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns the octets that its vectors point to; both are freed together.

internal import Glibc

/// Frames in memory as they go out, again and again from the first.
@safe struct FrameList: ~Copyable {
  /// A packet of the flood's rest comes behind so many.
  static let longLivedInterval = 1000

  let count: Int
  private let octets: UnsafeMutableRawBufferPointer
  private let vectors: UnsafeMutableBufferPointer<iovec>

  private init(count: Int, _ write: (Int) -> Frame) {
    self.count = count
    unsafe octets = .allocate(byteCount: count * Frame.snapLength, alignment: 64)
    unsafe vectors = .allocate(capacity: count)
    for place in 0..<count {
      let frame = write(place)
      let start = unsafe octets.baseAddress! + place * Frame.snapLength
      for octet in 0..<frame.capturedLength {
        unsafe start.storeBytes(of: frame.octets[octet], toByteOffset: octet, as: UInt8.self)
      }
      unsafe vectors.initializeElement(at: place, to: iovec(iov_base: start, iov_len: frame.capturedLength))
    }
  }

  deinit {
    unsafe octets.deallocate()
    unsafe vectors.deallocate()
  }

  /// The mix of conversations.
  static func mix(packets: Int) -> FrameList {
    var generator = TrafficGenerator(.mix, packets: packets, for: .wire)
    return FrameList(count: packets) { _ in
      _ = generator.next()
      return generator.frame
    }
  }

  /// Long-lived conversations alone, a packet of each in turn.
  static func longLived() -> FrameList {
    var frame = Frame()
    return FrameList(count: Conversation.longLivedCount) { place in
      frame.write(.longLived(place), length: 60, serial: place)
      return frame
    }
  }

  /// A flood, and in each ``longLivedInterval`` packets one of a long-lived conversation. The number of packets is
  /// rounded up, so that in each pass all of these send equally much.
  static func attack(packets: Int) -> FrameList {
    let cycle = longLivedInterval * Conversation.longLivedCount
    var frame = Frame()
    return FrameList(count: (packets + cycle - 1) / cycle * cycle) { place in
      if let number = longLivedNumber(at: place) {
        frame.write(.longLived(number), length: 60, serial: place)
      } else {
        frame.write(Conversation(number: place, .flood), length: 60, controlBits: 0x02, serial: place)
      }
      return frame
    }
  }

  /// How many packets each long-lived conversation has among the first so many of ``attack(packets:)``.
  static func longLivedPackets(among packets: UInt64, _ number: Int) -> UInt64 {
    let all = packets / UInt64(longLivedInterval)
    let conversations = UInt64(Conversation.longLivedCount)
    return all / conversations + (UInt64(number) < all % conversations ? 1 : 0)
  }

  private static func longLivedNumber(at place: Int) -> Int? {
    guard place % longLivedInterval == longLivedInterval - 1 else { return nil }
    return place / longLivedInterval % Conversation.longLivedCount
  }

  /// Shows up to so many frames from `place` on, as far as they lie one behind the other.
  func withFrames<Result>(from place: Int, most: Int, _ body: (UnsafeBufferPointer<iovec>) -> Result) -> Result {
    unsafe body(UnsafeBufferPointer(rebasing: vectors[place..<min(place + most, count)]))
  }
}
