// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: stat(2) into a structure of ours.

internal import FlowMeter
internal import FlowNetfilter
internal import Glibc

extension Check {
  /// What packets would come from.
  var sources: [Finding] {
    switch configuration.source {
    case .file(let path): [file(path)]
    case .live(let origins):
      origins.flatMap { origin in
        switch origin {
        case .interface(let name): [interface(name)]
        case .group(let number): group(number)
        }
      } + conntrack + [Capabilities.current.finding] + captured + logged
    }
  }

  /// A pipe has one reader: it is left alone.
  private func file(_ path: String) -> Finding {
    var status = stat()
    if path == "-" { return .fact("file", "standard input") }
    if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFIFO { return .fact("file", "\(path): a pipe") }
    do throws(CaptureError) {
      _ = try CaptureFile(path: path, filter: configuration.filter)
      return .fact("file", path)
    } catch {
      return .problem(error.description)
    }
  }

  /// Not promiscuous, whatever is asked for: to be so for a moment would be in the system's log.
  private func interface(_ name: String) -> Finding {
    var capture = configuration.capture
    capture.promiscuous = false
    do throws(CaptureError) {
      let lanes = try CaptureInterface.lanes(configuration.threads, of: name, capture, clock: MeteringClock())
      return InterfaceFindings.state(
        name, system.state(of: name), linkType: lanes[0].linkTypeName ?? "",
        isPromiscuous: configuration.capture.promiscuous, threads: lanes.count)
    } catch {
      return .problem(error.description)
    }
  }

  private func group(_ number: UInt16) -> [Finding] {
    do throws(CaptureError) {
      let source = try NFLogSource(group: number, configuration.nflog, clock: MeteringClock())
      let shortage = BufferShortage(
        granted: source.grantedBuffer, of: configuration.nflog.bufferSize, "NFLOG group \(number)")
      return [shortage].compactMap { $0.map { .notice($0.description) } }
    } catch {
      return [.problem(error.description)]
    }
  }

  private var conntrack: [Finding] {
    guard configuration.followsConnections else { return [] }
    let notices = ConntrackSettings().notices(exportsEvents: configuration.exportsNATEvents).map(Finding.notice)
    do throws(CaptureError) {
      let events = try ConntrackEvents(
        table: NATTable(configuration.translations), log: nil, configuration.conntrack, clock: MeteringClock())
      let shortage = BufferShortage(
        granted: events.grantedBuffer, of: configuration.conntrack.bufferSize, "conntrack's events")
      let uses = [configuration.exportsNATEvents ? "NAT events" : nil, configuration.completesRecords ? "flows" : nil]
      return [.fact("conntrack", "translations for \(uses.compactMap { $0 }.joined(separator: " and "))")] + notices
        + [shortage].compactMap { $0.map { .notice($0.description) } }
    } catch {
      return [.problem(error.description)] + notices
    }
  }

  /// What a capture on the interfaces would not see, or see twice.
  private var captured: [Finding] {
    let names = configuration.interfaces
    guard !names.isEmpty else { return [] }
    let states = names.contains("any") ? system.inUse : names.compactMap { system.state(of: $0) }
    return InterfaceFindings.merged(
      InterfaceFindings.merging(states, of: system.interfaces) { InterfaceOffload(of: $0) })
      + InterfaceFindings.twice(names.map { ($0, system.state(of: $0)) }, system.interfaces)
      + RuleFindings.inHardware(names, system.rules?.flowtables ?? [])
  }

  /// What the groups would not get, or get twice.
  private var logged: [Finding] {
    let groups = configuration.groups
    guard !groups.isEmpty else { return [] }
    var findings = system.ruleTroubles.map(Finding.notice)
    if let rules = system.rules {
      findings += RuleFindings.findings(
        groups, rules, hasUnknownRules: !system.ruleTroubles.isEmpty, usesIPv4: system.usesIPv4,
        usesIPv6: system.usesIPv6)
    }
    // What the machine sends is whole in the chains, whatever the card does.
    findings += InterfaceFindings.merged(
      InterfaceFindings.merging(system.inUse, of: system.interfaces) {
        InterfaceOffload(of: $0).intersection(.receiving)
      })
    if let name = configuration.interfaces.first {
      findings.append(
        .notice(
          "packets that pass '\(name)' and that rules log to NFLOG group \(groups[0]) are counted twice; meter them in"
            + " one way"))
    }
    return findings
  }
}

extension ProbeConfiguration {
  var origins: [PacketOrigin] { if case .live(let origins) = source { origins } else { [] } }

  var interfaces: [String] { origins.compactMap { if case .interface(let name) = $0 { name } else { nil } } }

  var groups: [UInt16] { origins.compactMap { if case .group(let number) = $0 { number } else { nil } } }
}
