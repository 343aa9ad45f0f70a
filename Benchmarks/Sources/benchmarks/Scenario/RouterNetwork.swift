// SPDX-License-Identifier: Apache-2.0

/// A router between two cables, whose rule logs what it forwards. Beyond it is nobody: packets end there.
final class RouterNetwork: TestNetwork {
  static let group = 5
  /// How much of a packet is logged, and how many packets fill a message.
  static let size = 96
  static let threshold = 100

  let sender: NetworkNamespace
  let outlet = "fpb0"
  let meter: NetworkNamespace
  let input = "\(group)"
  let copies = 1
  let socket: CollectorSocket
  private let beyond: NetworkNamespace

  init() throws(BenchmarkError) {
    (sender, meter, beyond) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
    socket = try meter.perform { () throws(BenchmarkError) in try CollectorSocket() }
    try Self.connect(sender, outlet, meter, "fpb1", otherAddress: "02:00:00:00:00:01")
    try Self.connect(meter, "fpb2", beyond, "fpb3", otherAddress: "02:00:00:00:00:05")
    try meter.run("ip", "addr add 198.18.0.1/24 dev fpb1")
    try meter.run("ip", "addr add 198.18.1.1/24 dev fpb2")
    for name in ["all", "default", "fpb1"] {
      try meter.set("net/ipv4/conf/\(name)/rp_filter", "0")
      try meter.set("net/ipv4/conf/\(name)/send_redirects", "0")
    }
    try meter.set("net/ipv4/ip_forward", "1")
    // The next hop has an address that none has: who is there takes no packet.
    try meter.run("ip", "link set fpb2 arp on")
    try meter.run("ip", "neigh replace 198.18.1.2 lladdr 02:00:00:00:00:04 dev fpb2 nud permanent")
    for network in ["10.0.0.0/8", "172.16.0.0/12"] { try meter.run("ip", "route add \(network) via 198.18.1.2") }
    try meter.run(
      "iptables",
      "-A FORWARD -j NFLOG --nflog-group \(Self.group) --nflog-size \(Self.size) --nflog-threshold \(Self.threshold)")
  }
}
