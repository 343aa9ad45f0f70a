// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: the system's data base of accounts, read on the main thread before there are others.

internal import FlowExport
internal import FlowMeter
internal import Glibc

/// The program as a service of the system's: one process with a file that names it, which gives away what it does not
/// need.
struct Service: ~Copyable {
  private let account: ServiceUser?
  private let pidFile: PidFile?
  /// Nil: the operator wants none.
  private var sandbox: Sandbox?

  /// Before anything is opened and any thread is there.
  ///
  /// - Parameter files: what the configuration is read from again.
  init(_ configuration: ProbeConfiguration, files: [String]) throws(ServiceError) {
    let options = configuration.service
    let account = if let user = options.user { try ServiceUser(user) } else { ServiceUser?.none }
    pidFile = if let path = options.pidfile { try PidFile(path: path) } else { nil }
    self.account = account
    for file in files { ConfigurationFile.exposure(of: file).map { Console.say($0) } }
    Privileges.limit()
    if account == nil { Privileges.limitOtherThreads() }
    guard !options.noSandbox else {
      Console.say("runs without a sandbox (--no-sandbox): whoever takes it over has all that its user has")
      return
    }
    let access = FileAccess(configuration, configurationFiles: files)
    for directory in access.made { DirectoryTree.make(directory) }
    for directory in configuration.spools { DirectoryTree.make(directory, mode: 0o700) }
    for directory in access.namesIn { DirectoryTree.make(directory) }
    sandbox = Sandbox(access, port: configuration.metrics?.port)
  }

  /// Once the sources are open, before the threads that use them: enters the root directory and becomes the user, whose
  /// the statistics directory and the control socket are then; gives up what is not needed any more.
  mutating func confine(_ configuration: ProbeConfiguration, _ outlets: ProbeOutlets) throws(ServiceError) {
    // Spools are open already, wherever the root directory is then.
    if let account { for directory in configuration.spools { try Self.hand(directory, to: account) } }
    if let root = configuration.service.chroot { try enter(root, configuration) }
    let kept = Self.kept(configuration)
    if let account {
      if let directory = configuration.statisticsDirectory { try StatisticsFiles.hand(directory, to: account) }
      outlets.handControl(to: account)
      try Privileges.drop(to: account, keeping: kept)
    } else {
      try Privileges.keep(kept)
    }
    sandbox?.complete()
    if configuration.isLive { Console.say(summary, .info) }
  }

  private func enter(_ root: String, _ configuration: ProbeConfiguration) throws(ServiceError) {
    // Read from the program's own file.
    _ = ProgramFile.fingerprint
    try Privileges.enter(root)
    // The system's resolver reads its settings again when they have changed, and by then they are those in here.
    let hosts = configuration.destinations.flatMap(\.destinations).compactMap(\.target.address?.host)
    for case .name(let name) in hosts where TextFile.read("/etc/resolv.conf") == nil {
      throw .noResolver(root: root, name: name)
    }
  }

  /// The capabilities that stay, as far as they are there.
  static func kept(_ configuration: ProbeConfiguration, isRoot: Bool = geteuid() == 0) -> Capabilities {
    guard configuration.isLive else { return [] }
    let staysRoot = isRoot && configuration.service.user == nil
    switch configuration.service.keptCapabilities {
    case .some(.none): return []
    case .needed: return configuration.capabilitiesToRun
    case .all: return [.netRaw, .netAdmin]
    // Who leaves it root wants it simple: a changed configuration may have any sources, and anybody's files.
    case nil: return staysRoot ? [.netRaw, .netAdmin, .overrideFileModes] : configuration.capabilitiesToRun
    }
  }

  private var summary: String {
    let user = account?.name ?? ServiceUser.ownName
    let capabilities = Capabilities.permitted.names
    return "runs as \(user) with \(capabilities.isEmpty ? "no capabilities" : capabilities); "
      + (sandbox?.summary ?? "no_new_privs, \(Sandbox.absence)")
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
