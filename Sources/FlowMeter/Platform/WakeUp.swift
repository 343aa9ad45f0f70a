// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads and writes eight octets of ours through an eventfd.

internal import CShims
internal import Glibc

/// Wakes a thread that waits with a timeout.
package final class WakeUp: Sendable {
  /// For poll(2) beside others: readable once called, until ``clear()``.
  package let descriptor: Int32

  package init() { descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) }

  deinit { close(descriptor) }

  /// Ends the wait, or the next one. Any thread, also often.
  package func call() {
    var one: UInt64 = 1
    unsafe _ = write(descriptor, &one, 8)
  }

  package func wait(_ timeout: Duration) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&entry, 1, timeout.wholeMilliseconds) > 0 else { return }
    clear()
  }

  /// Has the next wait wait again.
  package func clear() {
    var count: UInt64 = 0
    unsafe _ = read(descriptor, &count, 8)
  }
}
