// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What an operator changes while the program runs.
extension Probe {
  /// Reads the configuration again (SIGHUP). A bad one is told of, and the one that runs stays.
  func reload() {
    do throws(ChangeRefusal) {
      let fixed = try reloadOptions()
      Console.say(
        "read the configuration again"
          + (fixed.isEmpty
            ? "" : "; these are as before until flowprobe is started anew: \(fixed.joined(separator: ", "))"))
    } catch {
      Console.say("the configuration stays as it was: \(error)")
    }
  }

  /// Reads the options again, from the files too; what was set since the start is forgotten.
  ///
  /// - Returns: options that are others there, and take a restart.
  func reloadOptions() throws(ChangeRefusal) -> [String] {
    try changing.withLock { (changes: inout OptionChanges) throws(ChangeRefusal) in
      var anew = changes
      anew.forget()
      let fixed = try change(to: anew.configuration())
      changes = anew
      return fixed
    }
  }

  /// Gives an option another value until the configuration is read again.
  func set(_ name: String, to value: String) throws(ChangeRefusal) {
    try changing.withLock { (changes: inout OptionChanges) throws(ChangeRefusal) in
      var anew = changes
      anew.set(name, to: value)
      _ = try change(to: anew.configuration(), wholly: true)
      changes = anew
    }
  }
}
