// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands an array of ours to capget(2).

internal import CShims

/// The capabilities that the program has a use for (capabilities(7)).
struct Capabilities: OptionSet, Hashable {
  let rawValue: UInt32

  /// To capture on an interface.
  static let netRaw = Capabilities(rawValue: 1 << CAP_NET_RAW)
  /// To listen to an NFLOG group and to conntrack's events, to list conntrack's table, and to look at rules.
  static let netAdmin = Capabilities(rawValue: 1 << CAP_NET_ADMIN)
  /// To reach the files that root reaches.
  static let overrideFileModes = Capabilities(rawValue: 1 << CAP_DAC_OVERRIDE)

  /// Those that the calling thread uses.
  static var current: Capabilities { Capabilities(rawValue: sets?.effective ?? 0) }
  /// Those that it may use.
  static var permitted: Capabilities { Capabilities(rawValue: sets?.permitted ?? 0) }

  private static var sets: __user_cap_data_struct? {
    var sets = [__user_cap_data_struct](repeating: .init(), count: 2)
    return unsafe cshims_get_capabilities(&sets) == 0 ? sets[0] : nil
  }

  /// Those that are called by name, apart by commas; empty where there are none of them.
  var names: String {
    let known: [(Capabilities, String)] = [
      (.netRaw, "CAP_NET_RAW"), (.netAdmin, "CAP_NET_ADMIN"), (.overrideFileModes, "CAP_DAC_OVERRIDE"),
    ]
    return known.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
  }

  /// What there is for sources.
  var finding: Finding {
    let names = intersection([.netRaw, .netAdmin]).names
    return .fact("privileges", names.isEmpty ? "neither CAP_NET_RAW nor CAP_NET_ADMIN" : names)
  }
}

extension ProbeConfiguration {
  /// What its sources take when they are opened.
  var capabilitiesToOpen: Capabilities {
    var needed: Capabilities = []
    if !interfaces.isEmpty { needed.insert(.netRaw) }
    if !groups.isEmpty || followsConnections { needed.insert(.netAdmin) }
    return needed
  }

  /// What those of its sources take when they are opened that another one has not.
  func capabilitiesToOpen(beside other: ProbeConfiguration) -> Capabilities {
    var added = self
    added.source = .live(origins.filter { !other.origins.contains($0) })
    var needed = added.capabilitiesToOpen
    let followsAsBefore =
      exportsNATEvents == other.exportsNATEvents && followsConnections == other.followsConnections
    if followsAsBefore, added.groups.isEmpty { needed.remove(.netAdmin) }
    return needed
  }

  /// What they take when they are open: an interface that comes back is opened again, and conntrack's table is listed now
  /// and then. A group stays open.
  var capabilitiesToRun: Capabilities {
    var needed = capabilitiesToOpen
    if !followsConnections { needed.remove(.netAdmin) }
    return needed
  }
}
