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
      """, valueName: "mode:N"))
  var sampler = ""

  func validate() throws { _ = try sampling() }

  func sampling() throws -> Sampling? { try refused { () throws(SelectionError) in try Sampling.flows(sampler) } }

  /// What the parts refuse in their words, the parser refuses in the same.
  private func refused<Value>(_ body: () throws(SelectionError) -> Value) throws -> Value {
    do throws(SelectionError) {
      return try body()
    } catch {
      throw ValidationError(error.description)
    }
  }
}
