// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// The program as a service of the system's: one process with a file that names it, which gives away what it does not
/// need.
struct Service: ~Copyable {
  private let account: ServiceUser?
  private let root: String?
  private let pidFile: PidFile?

  /// Before anything is opened and any thread is there.
  init(_ options: ServiceOptions) throws(ServiceError) {
    let account = if let user = options.user { try ServiceUser(user) } else { ServiceUser?.none }
    pidFile = if let path = options.pidfile { try PidFile(path: path) } else { nil }
    (self.account, root) = (account, options.chroot)
    if account != nil { Privileges.limit() }
  }

  /// Once the sources are open, before the threads that use them: enters the root directory and becomes the user, whose
  /// the statistics directory and the control socket are then.
  func confine(_ configuration: ProbeConfiguration, _ outlets: ProbeOutlets) throws(ServiceError) {
    // They are open already, wherever the root directory is then.
    if let account { for directory in configuration.spools { try Self.hand(directory, to: account) } }
    if let root {
      // Read from the program's own file.
      _ = ProgramFile.fingerprint
      try Privileges.enter(root)
      // The system's resolver reads its settings again when they have changed, and by then they are those in here.
      let hosts = configuration.destinations.flatMap(\.destinations).compactMap(\.target.address?.host)
      for case .name(let name) in hosts where TextFile.read("/etc/resolv.conf") == nil {
        throw .noResolver(root: root, name: name)
      }
    }
    guard let account else { return }
    if let directory = configuration.statisticsDirectory { try StatisticsFiles.hand(directory, to: account) }
    outlets.handControl(to: account)
    try Privileges.drop(to: account, keeping: configuration.isLive ? Privileges.ofSources : 0)
  }

  private static func hand(_ spool: String, to account: ServiceUser) throws(ServiceError) {
    do throws(SystemError) {
      try ExportDestination.handSpool(spool, user: account.user, group: account.group)
    } catch {
      throw .spool(spool, user: account.name, error)
    }
  }

  /// The process has nothing more to do.
  consuming func end() {}
}
