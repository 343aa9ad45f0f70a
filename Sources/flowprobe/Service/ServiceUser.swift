// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: the system's data base of accounts, read on the main thread before there are others.

internal import Glibc

/// An account of the system's, and the groups that go with it.
struct ServiceUser: Hashable {
  let name: String
  let user: uid_t
  let group: gid_t
  /// All of them.
  let groups: [gid_t]

  /// - Parameter text: `NAME`, with the account's own group, or `NAME:GROUP`.
  init(_ text: String) throws(ServiceError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    name = parts[0]
    guard let account = unsafe getpwnam(name) else { throw .noUser(name) }
    user = unsafe account.pointee.pw_uid
    if parts.count > 1 {
      guard let entry = unsafe getgrnam(parts[1]) else { throw .noGroup(parts[1]) }
      group = unsafe entry.pointee.gr_gid
    } else {
      group = unsafe account.pointee.pw_gid
    }
    var count = Int32(Self.mostGroups)
    var found = [gid_t](repeating: 0, count: Self.mostGroups)
    unsafe getgrouplist(name, group, &found, &count)
    groups = Array(found.prefix(Int(count)))
  }

  /// Of the account that the process is: its name, or its number where it has none.
  static var ownName: String {
    guard let account = unsafe getpwuid(geteuid()) else { return "user \(geteuid())" }
    return unsafe String(cString: account.pointee.pw_name)
  }

  /// What an account is likely to have by far; of more, these are taken.
  private static let mostGroups = 256
}
