// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: calls libnfnetlink with a handle that the caller owns, and poll(2) with an entry of ours.

internal import CNetfilter
internal import FlowMeter
internal import Glibc

/// Waits for datagrams of a socket. While they follow each other closely a few may gather: to wake up costs as much as
/// to read some dozen packets or events.
struct GatheringWait {
  /// Milliseconds.
  private let gathering: Int64
  private var lastWakeUp = Timestamp(milliseconds: 0)

  /// - Parameter gathering: how long they may gather where two wake-ups are no further apart than twice that.
  ///   Milliseconds.
  init(gathering: Int64) { self.gathering = gathering }

  /// Returns when there is a datagram, or `timeout` has passed.
  mutating func wait(for descriptor: Int32, _ timeout: Duration) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&entry, 1, timeout.wholeMilliseconds) > 0 else { return }
    let now = Timestamp.monotonicClock()
    if now.milliseconds - lastWakeUp.milliseconds <= 2 * gathering { usleep(UInt32(gathering * 1000)) }
    lastWakeUp = now
  }
}

/// Gives the socket of `handle` a receive buffer, and tells what the kernel granted. Octets.
func setReceiveBuffer(_ handle: OpaquePointer?, to size: Int) -> Int {
  // The kernel counts twice what it was asked for.
  unsafe Int(nfnl_rcvbufsiz(handle, UInt32(clamping: size))) / 2
}
