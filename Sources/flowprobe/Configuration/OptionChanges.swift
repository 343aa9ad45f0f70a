// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// Why a new configuration is not taken, as a sentence.
struct ChangeRefusal: Error, CustomStringConvertible {
  var description: String
}

/// The options of a program that runs: those that it was started with, and what was set since.
struct OptionChanges: Sendable {
  /// The command line, without the program's name.
  private let commandLine: [String]
  /// The same with what the files that it names said when they were last read.
  private var arguments: [String]
  /// Each setting once, and what it is set to.
  private var set: [(setting: Setting, arguments: [String])] = []

  /// - Parameter arguments: those that the program was started with, the files' in front.
  init(_ commandLine: [String] = Array(CommandLine.arguments.dropFirst()), arguments: [String]) {
    (self.commandLine, self.arguments) = (commandLine, arguments)
  }

  /// Reads the files again, and forgets what was set.
  mutating func readAgain() throws(ChangeRefusal) {
    do throws(ConfigurationFile.Refusal) {
      arguments = try ConfigurationOptions.including(commandLine)
    } catch {
      throw ChangeRefusal(description: error.description)
    }
    set = []
  }

  /// Gives an option another value, in place of all that it had.
  mutating func set(_ setting: Setting, to value: String) throws(ChangeRefusal) {
    guard let arguments = setting.arguments(value) else {
      throw ChangeRefusal(
        description: value.isEmpty ? "there is no value; give one" : "'\(value)' is no value; give 1 or 0")
    }
    set.removeAll { $0.setting.option == setting.option }
    set.append((setting, arguments))
  }

  /// The options as they are now, in the parts' terms.
  func configuration() throws(ChangeRefusal) -> ProbeConfiguration {
    do {
      var all = NetfilterOptions.completing(arguments)
      for (setting, arguments) in set {
        // In front: words at the end are a filter.
        all = arguments + setting.removed(from: all)
      }
      guard let options = try Flowprobe.parseAsRoot(all) as? Meter else {
        throw ChangeRefusal(description: "this program meters nothing")
      }
      try options.checkCombination()
      return try ProbeConfiguration(options)
    } catch let refusal as ChangeRefusal {
      throw refusal
    } catch {
      throw ChangeRefusal(description: Meter.message(for: error))
    }
  }
}
