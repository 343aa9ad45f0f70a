// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@testable import flowprobe

/// The options of a command line; nil where it is another command's.
func metering(_ arguments: String) throws -> Meter? {
  try Flowprobe.parseAsRoot(NetfilterOptions.completing(arguments.split(separator: " ").map(String.init))) as? Meter
}

/// What the program says of a command line that it does not take, and its exit code; nil where it takes it.
func refusal(_ arguments: [String]) -> (text: String, code: Int32)? {
  do {
    let command = try Flowprobe.parseAsRoot(NetfilterOptions.completing(arguments))
    try (command as? Meter)?.checkCombination()
    return nil
  } catch {
    return (Flowprobe.message(for: error), Flowprobe.exitCode(for: error).rawValue)
  }
}

func refusal(_ arguments: String) -> (text: String, code: Int32)? {
  refusal(arguments.split(separator: " ").map(String.init))
}

extension Meter {
  /// What the program is built from.
  var configuration: ProbeConfiguration {
    get throws { try ProbeConfiguration(self) }
  }
}
