// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: signal sets of ours.

internal import Glibc
internal import Synchronization

/// The signals that end the program, waited for by the main thread, and the news that work is done.
enum Signals {
  /// Sent by the program to itself when a file has been read.
  private static let done = SIGUSR2
  private static let ending = [SIGINT, SIGTERM, SIGHUP, done]

  /// Blocks the signals, so that they wait for ``wait()``: before any other thread could take them.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    var set = set()
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits until the program shall end.
  static func wait() {
    var set = set()
    var number: Int32 = 0
    unsafe sigwait(&set, &number)
  }

  /// Wakes ``wait()``; any thread.
  static func wakeMain() { kill(getpid(), done) }

  private static func set() -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in ending { unsafe sigaddset(&set, number) }
    return set
  }
}
