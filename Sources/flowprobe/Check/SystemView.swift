// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: passes a name to if_nametoindex.

internal import FlowMeter
internal import FlowNetfilter
internal import Glibc

/// What the system says of its interfaces, rules and memory, read once.
struct SystemView {
  let interfaces: [InterfaceState]
  private let addresses: AddressedInterfaces
  /// Nil where nftables' rules cannot be read.
  let rules: FirewallRules?
  /// Why rules are not known: a sentence each.
  let ruleTroubles: [String]
  let memory: SystemMemory

  init() {
    interfaces = (try? InterfaceState.all()) ?? []
    addresses = (try? AddressedInterfaces.all()) ?? AddressedInterfaces()
    memory = SystemMemory { TextFile.read($0) }
    var troubles: [String] = []
    do throws(SystemError) {
      var rules = try FirewallRules.ofNFTables()
      do throws(IPTablesLegacy.Refusal) {
        try IPTablesLegacy.add(to: &rules)
      } catch {
        troubles.append(error.description)
      }
      self.rules = rules
    } catch {
      rules = nil
      troubles.append("cannot look at nftables' rules: \(error); run as root or give CAP_NET_ADMIN")
    }
    ruleTroubles = troubles
  }

  /// What packets come by that are not the machine's own.
  var inUse: [InterfaceState] { interfaces.filter { $0.isUp && !$0.isLoopback } }

  /// Of an interface by its name or an alternative one; nil where there is none, and of `any`.
  func state(of name: String) -> InterfaceState? {
    let index = unsafe if_nametoindex(name)
    return index == 0 ? nil : interfaces.first { $0.index == index }
  }

  /// Whether an interface has an IPv6 address; of `any`, whether one but the loopback has.
  func hasIPv6(_ name: String) -> Bool {
    name == "any" ? usesIPv6 : state(of: name).map { addresses.ipv6.contains($0.index) } ?? false
  }

  var usesIPv4: Bool { inUse.contains { addresses.ipv4.contains($0.index) } }
  var usesIPv6: Bool { inUse.contains { addresses.ipv6.contains($0.index) } }
}
