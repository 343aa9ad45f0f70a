// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Glibc

/// Finds out what would run with a configuration, what would be missed and what stands in the way (`--check`).
///
/// Sources are opened as at the start, and closed again: what the system says of them is what it would say then.
/// Nothing is metered, sent or written.
struct Check {
  let configuration: ProbeConfiguration
  let system: SystemView
  /// What the configuration is read from.
  let files: [String]

  init(_ configuration: ProbeConfiguration, files: [String]) {
    (self.configuration, self.files) = (configuration, files)
    system = SystemView()
  }

  /// Prints what was found. False where flowprobe could not run.
  func run() -> Bool {
    let findings = findings
    for line in findings.lines { print(line) }
    return !findings.hasProblem
  }

  /// What the program is to become.
  private var service: ServiceOptions { configuration.service }

  private var findings: [Finding] {
    var findings = sources
    findings += table
    findings += configuration.destinations.flatMap { destinations(of: $0) }
    findings += protocolFindings
    findings.append(.fact("sampling", configuration.table.sampling?.summary ?? "none"))
    findings += statistics + outlets
    findings += processors + account
    findings += files.compactMap { ConfigurationFile.exposure(of: $0).map(Finding.notice) }
    return findings
  }

  private var protocolFindings: [Finding] {
    guard !configuration.destinations.isEmpty else {
      return [.fact("protocol", "none: flows are printed")]
    }
    return [.fact("protocol", configuration.exportProtocols.map(\.name).joined(separator: ", "))]
      + ProtocolFindings.missing(configuration, ipv6: ipv6Sources)
  }

  /// Where IPv6 is to be expected: interfaces that have such an address, groups that rules log it to.
  private var ipv6Sources: [String] {
    configuration.origins.compactMap { origin in
      switch origin {
      case .interface(let name): system.hasIPv6(name) ? "'\(name)'" : nil
      case .group(let number):
        system.rules?.sites(of: [number]).contains { $0.family == .ipv6 || $0.family.seesIPv6 && system.usesIPv6 }
          ?? false ? "NFLOG group \(number)" : nil
      }
    }
  }

  private func destinations(of entry: DestinationEntry) -> [Finding] {
    let findings = entry.destinations.flatMap { [destination($0)] + Self.delivery($0) }
    guard case .group(let group) = entry else { return findings }
    return [.fact("group", group.description)] + findings
  }

  private func destination(_ destination: ExportDestination) -> Finding {
    if case .file(let pattern) = destination.target { return files(destination, pattern) }
    guard let address = destination.target.address else { return .fact("destination", "\(destination)") }
    do throws(ExportError) {
      let path = try CollectorPath(to: address, destination.configuration)
      var text = "\(destination)"
      if case .name = address.host { text += ", which is \(path.remote)" }
      text += ": from \(path.local)" + (path.interface.map { " (\($0))" } ?? "")
      if let mtu = path.mtu { text += ", packets of up to \(mtu) octets" }
      return .fact("destination", text)
    } catch {
      return .notice(ExportEvent.cannotSend(destination: destination, reason: error.reason, times: 1).description)
    }
  }

  /// By the rights of who the program is to become.
  private func files(_ destination: ExportDestination, _ pattern: FilePattern) -> Finding {
    do throws(SystemError) {
      let account = service.user.flatMap { try? ServiceUser($0) }
      let isThere = try Privileges.acting(as: account) { () throws(SystemError) in
        try DirectoryTree.tryOut((service.chroot ?? "") + pattern.directory)
      }
      guard isThere else { throw SystemError(code: ENOENT) }
      let rules = destination.configuration.file
      let seconds = rules.rotation(of: pattern)
      let ends = [seconds > 0 ? "every \(seconds) s" : nil, rules.size > 0 ? "at \(rules.size) octets" : nil]
      let text = ends.compactMap(\.self).joined(separator: " or ")
      return .fact("destination", "\(destination): \(text.isEmpty ? "one file" : "a new file \(text)")")
    } catch {
      return .notice(
        ExportEvent.cannotSend(destination: destination, reason: error.description, times: 1).description)
    }
  }

  /// Whether the files and the directory that it names can be used.
  private static func delivery(_ destination: ExportDestination) -> [Finding] {
    do throws(DeliveryRefusal) {
      try destination.tryOutDelivery()
      guard let spool = destination.configuration.delivery.spool else { return [] }
      return [.fact("spool", "\(spool), up to \(destination.configuration.delivery.spoolSize) octets")]
    } catch {
      return [.problem(error.description)]
    }
  }

  private var statistics: [Finding] {
    guard let directory = configuration.statisticsDirectory else { return [.fact("statistics", "no files")] }
    do throws(StatisticsError) {
      try StatisticsFiles.tryOut(directory)
      return [.fact("statistics", directory)]
    } catch {
      return [.notice(error.description)]
    }
  }

  /// Whether it could be asked from outside.
  private var outlets: [Finding] {
    var findings: [Finding] = []
    if let address = configuration.metrics {
      do throws(ListeningError) {
        close(try address.listen())
        findings.append(.fact("metrics", "http://\(address)/metrics"))
      } catch {
        findings.append(.problem(error.description))
      }
    }
    if let control = configuration.control {
      do throws(ListeningError) {
        try ControlSocket.tryOut(path: control.path, group: control.group)
        findings.append(.fact("control", control.path))
      } catch {
        findings.append(control.isWanted ? .problem(error.description) : .notice(error.description))
      }
    }
    return findings
  }

  private var account: [Finding] {
    let sandbox = Finding.fact(
      "sandbox", service.noSandbox ? "no_new_privs, \(Sandbox.absence)" : Sandbox.outlook)
    let kept = Service.kept(configuration).intersection(.permitted).names
    let capabilities = Finding.fact("keeps", kept.isEmpty ? "no capabilities" : kept)
    guard let user = service.user else { return [capabilities, sandbox] }
    do throws(ServiceError) {
      return [.fact("user", try ServiceUser(user).name), capabilities, sandbox]
    } catch {
      return [.problem(error.description)]
    }
  }

  /// Whether threads can run where they are wanted.
  private var processors: [Finding] {
    let wanted = Set(configuration.meteringProcessors + [configuration.exportProcessor].compactMap { $0 })
    do throws(SystemError) {
      for processor in wanted { try WorkerThread(name: "check", processor: processor) {}.join() }
      guard configuration.threads > 1 else { return [] }
      return InterfaceFindings.crowded(configuration.meteringThreads, on: configuration.processorsForMetering)
    } catch {
      return [.problem(configuration.threadTrouble(error))]
    }
  }

  private var table: [Finding] {
    do throws(SystemError) {
      _ = try FlowTable(configuration.table)
    } catch {
      return [.problem(configuration.memoryTrouble(error))]
    }
    return MemoryFindings.findings(MemoryNeed(configuration), system.memory)
  }
}

extension Sampling {
  /// What of the traffic is exported.
  fileprivate var summary: String {
    switch method {
    case .deterministicFlows: "one flow in \(interval) is exported, by number"
    case .randomFlows: "one flow in \(interval) is exported, by chance"
    case .hashedFlows: "one flow in \(interval) is metered, by hash"
    case .packets: "one packet in \(interval) is metered"
    }
  }
}
