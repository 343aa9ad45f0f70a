// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: signal sets and actions of ours.

internal import Glibc

/// The signals that the program lives by, waited for by the main thread: orders to end, wishes, and the news
/// that work is done.
enum Signals {
  /// What an operator may want of a running program.
  enum Wish {
    /// SIGHUP: the configuration is to be read again.
    case reload
    /// SIGUSR1: the active Flows are to be written.
    case flows
  }

  /// Sent by the kernel itself (<asm-generic/siginfo.h>): of SIGHUP, that the terminal is gone.
  private static let sentByKernel: Int32 = 0x80

  /// Sent by the program to itself when a file has been read.
  private static let done = SIGUSR2

  /// Has a wish not end a program that is not ready for it.
  ///
  /// - Parameter reloads: as of ``waitForEnd(reloads:on:_:)``.
  static func begin(reloads: Bool) {
    signal(SIGUSR1, SIG_IGN)
    // Not ignored: what is ignored from the start stays so.
    if reloads, !isIgnored(SIGHUP) { signal(SIGHUP) { _ in } }
  }

  /// Blocks the signals, so that they wait for ``waitForEnd(on:_:)``: once the sources are open, which may take long
  /// and may be given up at any time.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    var set = awaited
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits until the program shall end, and has the parts stopped; from then on a second signal ends the program at
  /// once.
  ///
  /// One that comes within a moment is the same order: timeout(1) sends its signal to the program and to its process
  /// group.
  ///
  /// - Parameters:
  ///   - reloads: takes SIGHUP for a wish, not for an order to end; that the terminal is gone is always one.
  ///   - act: called with each wish until then.
  static func waitForEnd(reloads: Bool = false, on act: (Wish) -> Void, _ stop: () -> Void) {
    var set = awaited
    var number: Int32
    waiting: while true {
      var information = unsafe siginfo_t()
      number = unsafe sigwaitinfo(&set, &information)
      switch number {
      case SIGUSR1: act(.flows)
      case SIGHUP where unsafe reloads && information.si_code != sentByKernel: act(.reload)
      // A debugger's stop and go.
      case -1: continue
      default: break waiting
      }
    }
    stop()
    unsafe sigdelset(&set, SIGUSR1)
    if reloads { unsafe sigdelset(&set, SIGHUP) }
    if number != done {
      var moment = timespec(tv_sec: 0, tv_nsec: 200_000_000)
      while unsafe sigtimedwait(&set, nil, &moment) > 0 {}
    }
    unsafe sigdelset(&set, done)
    unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  /// Ends ``waitForEnd(on:_:)``; any thread.
  static func wakeMain() { kill(getpid(), done) }

  /// Those that are not ignored from the start, as nohup does with SIGHUP.
  private static var awaited: sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) { unsafe sigaddset(&set, number) }
    unsafe sigaddset(&set, done)
    unsafe sigaddset(&set, SIGUSR1)
    return set
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    unsafe sigaction(number, nil, &action)
    // SIG_IGN is the address 1.
    return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }
}
