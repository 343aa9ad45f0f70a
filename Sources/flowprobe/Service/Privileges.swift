// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: a list of groups and two words of capability sets, all ours.

internal import CShims
internal import FlowMeter
internal import Glibc
internal import Synchronization

/// What the program may do once its sources are open.
///
/// ``limit()`` comes before the first thread, so that all have less from the start; ``drop(to:keeping:)`` or
/// ``keep(_:)`` when the sources are open. A thread that looks names up may be there by then: setuid(3) is all threads',
/// and a thread that does not ask for them keeps no capabilities through it; capset(2) is one thread's, and
/// ``limitOtherThreads()`` sees to the others.
enum Privileges {
  /// Capabilities that the process had and has no longer.
  static let givenUp = Mutex<Capabilities>([])

  /// Leaves nothing to be gained: no set-user-id, no file's capabilities, none that are inherited.
  static func limit() {
    cshims_process_control(PR_SET_NO_NEW_PRIVS, 1)
    // Root alone may; from others there is nothing to take.
    for capability in 0...CAP_LAST_CAP { cshims_process_control(PR_CAPBSET_DROP, UInt(capability)) }
  }

  /// Makes a directory the root directory.
  static func enter(_ directory: String) throws(ServiceError) {
    guard unsafe chroot(directory) == 0, unsafe chdir("/") == 0 else { throw .root(directory, .last) }
  }

  /// Does something with another user's rights to files, and has one's own again behind it.
  ///
  /// - Parameter account: nil: with one's own.
  static func acting<Value>(
    as account: ServiceUser?, _ body: () throws(SystemError) -> Value
  ) throws(SystemError) -> Value {
    guard let account else { return try body() }
    var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
    unsafe getgroups(Int32(groups.count), &groups)
    let (user, group) = (geteuid(), getegid())
    defer {
      seteuid(user)
      setegid(group)
      unsafe setgroups(groups.count, groups)
    }
    guard unsafe setgroups(account.groups.count, account.groups) == 0, setegid(account.group) == 0,
      seteuid(account.user) == 0
    else { throw .last }
    return try body()
  }

  /// Becomes another user, for good.
  ///
  /// - Parameter capabilities: those of them that the process has stay.
  static func drop(to account: ServiceUser, keeping capabilities: Capabilities) throws(ServiceError) {
    let kept = Capabilities.permitted.intersection(capabilities)
    guard cshims_process_control(PR_SET_KEEPCAPS, 1) == 0,
      unsafe setgroups(account.groups.count, account.groups) == 0,
      setgid(account.group) == 0, setuid(account.user) == 0, set(kept)
    else { throw .change(user: account.name, .last) }
  }

  /// Stays who it is, with less.
  ///
  /// - Parameter capabilities: those of them that the process has stay.
  static func keep(_ capabilities: Capabilities) throws(ServiceError) {
    WorkerThread.prologue.withLock { $0 = nil }
    guard set(Capabilities.permitted.intersection(capabilities)) else { throw .capabilities(.last) }
  }

  /// Threads that are started before ``keep(_:)`` have no capabilities: they need none, and nobody could take them away.
  static func limitOtherThreads() { WorkerThread.prologue.withLock { $0 = { _ = set([]) } } }

  /// Of the calling thread: permitted and effective, and none to inherit, with which ambient ones go too.
  private static func set(_ capabilities: Capabilities) -> Bool {
    let word = capabilities.rawValue
    let before = Capabilities.permitted
    let sets: [__user_cap_data_struct] = [.init(effective: word, permitted: word, inheritable: 0), .init()]
    guard unsafe cshims_set_capabilities(sets) == 0 else { return false }
    givenUp.withLock { $0.formUnion(before.subtracting(capabilities)) }
    return true
  }
}
