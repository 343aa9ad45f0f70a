// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// Why a new configuration is not taken, as a sentence.
struct ChangeRefusal: Error, CustomStringConvertible {
  var description: String
}

/// The options of a program that runs: those that it was started with, and what was set since.
struct OptionChanges: Sendable {
  /// Without the program's name.
  private let arguments: [String]
  /// By the options' names, the last value.
  private(set) var set: [(name: String, value: String)] = []

  init(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) { self.arguments = arguments }

  /// Forgets what was set: files say what holds.
  mutating func forget() { set = [] }

  /// Gives an option another value, in place of all that it had.
  mutating func set(_ name: String, to value: String) {
    set.removeAll { $0.name == name }
    set.append((name, value))
  }

  /// The options as they are now, in the parts' terms: files are read anew.
  func configuration() throws(ChangeRefusal) -> ProbeConfiguration {
    do {
      var all = try ConfigurationOptions.including(arguments)
      for (name, value) in set {
        all = ConfigurationOptions.removing("--\(name)", from: all) + ["--\(name)=\(value)"]
      }
      guard let options = try Flowprobe.parseAsRoot(NetfilterOptions.completing(all)) as? Meter else {
        throw ChangeRefusal(description: "this program meters nothing")
      }
      try options.checkCombination()
      return try ProbeConfiguration(options)
    } catch let refusal as ChangeRefusal {
      throw refusal
    } catch let refusal as ConfigurationFile.Refusal {
      throw ChangeRefusal(description: refusal.description)
    } catch {
      throw ChangeRefusal(description: Meter.message(for: error))
    }
  }
}
