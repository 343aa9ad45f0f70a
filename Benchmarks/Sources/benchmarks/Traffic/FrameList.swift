// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns the octets that its vectors point to; both are freed together.

internal import Glibc

/// Frames in memory as they go out, again and again from the first.
@safe struct FrameList: ~Copyable {
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

  /// Shows up to so many frames from `place` on, as far as they lie one behind the other.
  func withFrames<Result>(from place: Int, most: Int, _ body: (UnsafeBufferPointer<iovec>) -> Result) -> Result {
    unsafe body(UnsafeBufferPointer(rebasing: vectors[place..<min(place + most, count)]))
  }
}
