// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The capabilities of the process that sources need (capabilities(7)).
struct Privileges: Hashable {
  /// Live capture.
  var netRaw = false
  /// NFLOG groups, conntrack's events, and to look at rules.
  var netAdmin = false

  static var current: Privileges { Privileges(status: TextFile.read("/proc/thread-self/status") ?? "") }

  /// - Parameter status: /proc/PID/status.
  init(status: String) {
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    let set = line?.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) } ?? 0
    // CAP_NET_ADMIN is 12, CAP_NET_RAW 13 (<linux/capability.h>).
    (netAdmin, netRaw) = (set >> 12 & 1 == 1, set >> 13 & 1 == 1)
  }

  var finding: Finding {
    let names = [netRaw ? "CAP_NET_RAW" : nil, netAdmin ? "CAP_NET_ADMIN" : nil].compactMap { $0 }
    return .fact("privileges", names.isEmpty ? "neither CAP_NET_RAW nor CAP_NET_ADMIN" : names.joined(separator: ", "))
  }
}
