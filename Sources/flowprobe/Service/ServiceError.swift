// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Why the program cannot be the service that its options ask for, in words for the operator.
enum ServiceError: Error, Hashable, CustomStringConvertible {
  /// Of an account, by what was written.
  case noUser(String)
  case noGroup(String)
  case change(user: String, SystemError)
  case capabilities(SystemError)
  case root(String, SystemError)
  /// Names are looked up in the new root directory.
  case noResolver(root: String, name: String)
  case file(String, SystemError)
  /// By another flowprobe; its process, where the file says so.
  case running(String, process: String?)
  case statistics(String, user: String, SystemError)
  case spool(String, user: String, SystemError)

  var description: String {
    switch self {
    case .noUser(let name):
      "cannot run as user '\(name)': there is no such user; make it with 'adduser --system --group \(name)'"
    case .noGroup(let name):
      "cannot run as group '\(name)': there is no such group; make it with 'addgroup --system \(name)'"
    case .change(let user, let error):
      "cannot become user '\(user)': \(error); start as root"
    case .capabilities(let error):
      "cannot give capabilities up: \(error); allow the system call capset to it"
    case .root(let directory, let error):
      "cannot make '\(directory)' the root directory: \(error); give a directory that is there, and start as root"
    case .noResolver(let root, let name):
      "cannot look up '\(name)' in '\(root)': it has no etc/resolv.conf; copy /etc/resolv.conf and /etc/hosts there, or"
        + " give addresses with --dest"
    case .file(let path, let error):
      "cannot write process id to '\(path)': \(error); give another file with --pidfile"
    case .running(let path, let process):
      "cannot lock '\(path)': flowprobe runs already\(process.map { ", as process \($0)" } ?? ""); stop it, or give"
        + " another file with --pidfile"
    case .spool(let directory, let user, let error):
      "cannot hand spool '\(directory)' to user '\(user)': \(error); give another directory with spool=DIRECTORY"
    case .statistics(let directory, let user, let error):
      "cannot hand '\(directory)' to user '\(user)': \(error); give another directory with --stat-dir, or --no-stat"
    }
  }
}
