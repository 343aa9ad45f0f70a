// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: a list of groups and two words of capability sets, all ours.

internal import CShims
internal import FlowMeter
internal import Glibc

/// What the program may do once its sources are open.
///
/// ``limit()`` comes before the first thread, so that all have less from the start; ``drop(to:keeping:)`` when the
/// sources are open. A thread that looks names up may be there by then: setuid(3) is all threads', and a thread that
/// does not ask for them keeps no capabilities through it.
enum Privileges {
  /// A source that went away is opened again: CAP_NET_RAW for interfaces, CAP_NET_ADMIN for NFLOG and conntrack.
  static let ofSources: UInt32 = 1 << CAP_NET_RAW | 1 << CAP_NET_ADMIN

  /// Leaves nothing to be gained: no set-user-id, no file's capabilities, none beside those of the sources.
  static func limit() {
    cshims_process_control(PR_SET_NO_NEW_PRIVS, 1)
    // Root alone may; from others there is nothing to take.
    for capability in 0...CAP_LAST_CAP where ofSources & 1 << capability == 0 {
      cshims_process_control(PR_CAPBSET_DROP, UInt(capability))
    }
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
  /// - Parameter capabilities: a bit each; those of them that the process has stay.
  static func drop(to account: ServiceUser, keeping capabilities: UInt32) throws(ServiceError) {
    var sets = [__user_cap_data_struct](repeating: .init(), count: 2)
    guard unsafe cshims_get_capabilities(&sets) == 0 else { throw .change(user: account.name, .last) }
    let kept = sets[0].permitted & capabilities
    sets = [.init(effective: kept, permitted: kept, inheritable: 0), .init()]
    guard cshims_process_control(PR_SET_KEEPCAPS, 1) == 0,
      unsafe setgroups(account.groups.count, account.groups) == 0,
      setgid(account.group) == 0, setuid(account.user) == 0,
      unsafe cshims_set_capabilities(sets) == 0
    else { throw .change(user: account.name, .last) }
  }
}
