// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: pthread_create takes the closure's box as a raw pointer; it is retained for the thread and released by it.

internal import CShims
internal import Glibc

/// A thread with a name, which `top -H` shows.
public final class WorkerThread: Sendable {
  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  private let thread: pthread_t

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - name: cut to 15 octets, as the kernel demands.
  ///   - body: runs on the thread; when it returns, the thread ends.
  public init(name: String, body: @escaping @Sendable () -> Void) throws(SystemError) {
    // Signals are the main thread's, whoever starts a thread when; only interrupt() reaches a worker.
    var (workerMask, callerMask) = (sigset_t(), sigset_t())
    unsafe sigfillset(&workerMask)
    unsafe sigdelset(&workerMask, SIGUSR1)
    unsafe pthread_sigmask(SIG_SETMASK, &workerMask, &callerMask)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &callerMask, nil) }
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let result = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        // Signals are the main thread's, whoever starts a thread when; only interrupt() reaches a worker.
    var (workerMask, callerMask) = (sigset_t(), sigset_t())
    unsafe sigfillset(&workerMask)
    unsafe sigdelset(&workerMask, SIGUSR1)
    unsafe pthread_sigmask(SIG_SETMASK, &workerMask, &callerMask)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &callerMask, nil) }
    let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe cshims_set_thread_name(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
        start.body()
        return nil
      }, start.toOpaque())
    guard result == 0 else {
      unsafe start.release()
      throw SystemError(code: result)
    }
    self.thread = thread
  }

  /// Lets a system call that the thread waits in return early (EINTR).
  public func interrupt() {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    unsafe sigaction(SIGUSR1, &action, nil)
    pthread_kill(thread, SIGUSR1)
  }

  /// Waits until the thread's body has returned. Once only.
  public func join() { pthread_join(thread, nil) }
}
