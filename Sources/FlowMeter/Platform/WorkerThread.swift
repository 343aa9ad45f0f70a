// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: pthread_create takes the closure's box as a raw pointer; it is retained for the thread and released by it.

internal import CShims
internal import Glibc
package import Synchronization

/// A thread with a name, which `top -H` shows.
///
/// It leaves signals to the main thread, whoever starts it when.
public final class WorkerThread: Sendable {
  private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void
    let hasReturned = Atomic<Bool>(false)

    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// How many octets of a name the kernel takes.
  public static let longestName = 15

  /// What a thread does first of all, of those that are started from now on; nil: nothing.
  package static let prologue = Mutex<(@Sendable () -> Void)?>(nil)

  private let thread: pthread_t
  private let body: Body
  private let isJoined = Atomic<Bool>(false)

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - name: cut to ``longestName`` octets, as the kernel demands.
  ///   - processor: runs on this one alone, below 1024; default nil: on any.
  ///   - body: runs on the thread; when it returns, the thread ends.
  /// - Throws: EINVAL where there is no such processor, or the process may not use it.
  public init(
    name: String, processor: Int? = nil, body: @escaping @Sendable () -> Void
  ) throws(SystemError) {
    self.body = Body(name: name, run: body)
    // A thread has its starter's mask. SIGURG alone reaches it, which is ignored: see interruptAndJoin().
    var (mask, callersMask) = (sigset_t(), sigset_t())
    unsafe sigfillset(&mask)
    unsafe sigdelset(&mask, SIGURG)
    unsafe pthread_sigmask(SIG_SETMASK, &mask, &callersMask)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &callersMask, nil) }
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    if let processor {
      let result = unsafe cshims_set_processor(&attributes, Int32(processor))
      guard result == 0 else { throw SystemError(code: result) }
    }
    let argument = unsafe Unmanaged.passRetained(self.body)
    var thread = pthread_t()
    let result = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        unsafe cshims_set_thread_name(String(decoding: body.name.utf8.prefix(WorkerThread.longestName), as: UTF8.self))
        WorkerThread.prologue.withLock { $0 }?()
        body.run()
        body.hasReturned.store(true, ordering: .releasing)
        return nil
      }, unsafe argument.toOpaque())
    guard result == 0 else {
      unsafe argument.release()
      throw SystemError(code: result)
    }
    self.thread = thread
  }

  /// A thread that nobody waits for leaves nothing behind either.
  deinit { if !isJoined.load(ordering: .relaxed) { pthread_detach(thread) } }

  /// Waits until the thread's body has returned. Once only.
  public func join() {
    isJoined.store(true, ordering: .relaxed)
    pthread_join(thread, nil)
  }

  /// Waits until the thread's body has returned, and lets the system calls that it waits in return early (EINTR).
  /// Once only.
  public func interruptAndJoin() {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    unsafe sigaction(SIGURG, &action, nil)
    // A signal that comes just before a system call begins does not end it: hence again and again.
    while !body.hasReturned.load(ordering: .acquiring) {
      pthread_kill(thread, SIGURG)
      usleep(10_000)
    }
    join()
  }
}
