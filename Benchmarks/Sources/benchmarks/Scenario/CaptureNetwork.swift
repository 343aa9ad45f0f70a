// SPDX-License-Identifier: Apache-2.0

/// Where packets are sent, and where they are metered: two networks and what lies between them.
protocol TestNetwork: AnyObject {
  var sender: NetworkNamespace { get }
  /// The sender's interface.
  var outlet: String { get }
  var meter: NetworkNamespace { get }
  /// What meters are told to read: an interface, or an NFLOG group.
  var input: String { get }
  /// How many packets the meter is offered for each that is sent.
  var copies: Int { get }
  /// Where the meter's messages go.
  var socket: CollectorSocket { get }
}

extension TestNetwork {
  /// The two ends of a virtual cable. Nothing is ever asked for, so that no packet comes that was not sent.
  static func connect(
    _ one: NetworkNamespace, _ oneEnd: String, _ other: NetworkNamespace, _ otherEnd: String, otherAddress: String
  ) throws(BenchmarkError) {
    try one.run("ip", "link add \(oneEnd) type veth peer name \(otherEnd) address \(otherAddress)")
    try one.run("ip", "link set \(otherEnd) netns \(other.path)")
    try one.run("ip", "link set \(oneEnd) up arp off")
    try other.run("ip", "link set \(otherEnd) up arp off")
  }
}

/// A cable. With more than one copy, an interface behind it that is handed each packet so many times: there a meter
/// gets more than one sender can send.
final class CaptureNetwork: TestNetwork {
  let sender: NetworkNamespace
  let outlet = "fpb0"
  let meter: NetworkNamespace
  let input: String
  let copies: Int
  let socket: CollectorSocket

  init(copies: Int) throws(BenchmarkError) {
    (sender, meter) = (try NetworkNamespace(), try NetworkNamespace())
    self.copies = copies
    input = copies > 1 ? "fpb2" : "fpb1"
    socket = try meter.perform { () throws(BenchmarkError) in try CollectorSocket() }
    try Self.connect(sender, outlet, meter, "fpb1", otherAddress: "02:00:00:00:00:01")
    guard copies > 1 else { return }
    try meter.run("ip", "link add \(input) type ifb")
    try meter.run("ip", "link set \(input) up")
    let duplicates = String(repeating: "dup to \(input) ", count: copies)
    try meter.run("nft", "add table netdev fpb")
    try meter.run("nft", "add chain netdev fpb ingress { type filter hook ingress device fpb1 priority 0 ; }")
    try meter.run("nft", "add rule netdev fpb ingress \(duplicates) drop")
  }
}
