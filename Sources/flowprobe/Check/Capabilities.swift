// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands an array of ours to capget(2).

internal import CShims

/// The capabilities of the process that sources need (capabilities(7)).
struct Capabilities: Hashable {
  /// Live capture.
  var netRaw = false
  /// NFLOG groups, conntrack's events, and to look at rules.
  var netAdmin = false

  static var current: Capabilities {
    var sets = [__user_cap_data_struct](repeating: .init(), count: 2)
    guard unsafe cshims_get_capabilities(&sets) == 0 else { return Capabilities() }
    func has(_ capability: Int32) -> Bool { sets[0].effective >> UInt32(capability) & 1 == 1 }
    return Capabilities(netRaw: has(CAP_NET_RAW), netAdmin: has(CAP_NET_ADMIN))
  }

  var finding: Finding {
    let names = [netRaw ? "CAP_NET_RAW" : nil, netAdmin ? "CAP_NET_ADMIN" : nil].compactMap { $0 }
    return .fact("privileges", names.isEmpty ? "neither CAP_NET_RAW nor CAP_NET_ADMIN" : names.joined(separator: ", "))
  }
}
