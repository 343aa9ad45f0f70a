// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FlowMeter

/// What of the traffic is metered and exported where it cannot be all of it.
struct SelectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Export one flow in N, 2 to 16383: by number (deterministic), by chance (random) or by a hash of its key, whose \
      packets alone are metered (hash). 0 is none.
      """, valueName: "mode:N"),
    completion: .list(["deterministic:", "random:", "hash:"]))
  var sampler = ""

  @Option(
    name: .customLong("packet-sampling"),
    help: ArgumentHelp("Meter one packet in N of each source, 2 to 16383; 0 is all.", valueName: "N"))
  var packetSampling = 0

  @Option(
    help: ArgumentHelp(
      """
      Make one flow of many, by rules apart by commas: address/length=length cuts IPv4 addresses of a network, \
      ports=port replaces ports; may be given several times.
      """, valueName: "rules"))
  var aggregation: [String] = []

  func validate() throws {
    _ = try sampling()
    _ = try aggregationRules()
  }

  func aggregationRules() throws -> AggregationRules? {
    try refused { () throws(SelectionError) in try AggregationRules.parse(aggregation.joined(separator: ",")) }
  }

  func sampling() throws -> Sampling? {
    let flows = try refused { () throws(SelectionError) in try Sampling.flows(sampler) }
    guard packetSampling != 0 else { return flows }
    guard flows == nil else {
      throw ValidationError("--sampler chooses flows and --packet-sampling packets; give one of the two.")
    }
    try MeteringOptions.check("--packet-sampling", packetSampling, Sampling.intervals)
    return Sampling(.packets, interval: packetSampling)
  }

  /// What the parts refuse in their words, the parser refuses in the same.
  private func refused<Value>(_ body: () throws(SelectionError) -> Value) throws -> Value {
    do throws(SelectionError) {
      return try body()
    } catch {
      throw ValidationError(error.description)
    }
  }
}
