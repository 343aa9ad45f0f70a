// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Synchronization

/// What an operator changes while the program runs.
extension Probe {
  /// Reads the configuration again (SIGHUP). A bad one is told of, and the one that runs stays.
  func reload() {
    notifier.reloading()
    defer { notifier.ready() }
    do throws(ChangeRefusal) {
      let fixed = try reloadOptions()
      Console.say(
        "read the configuration again"
          + (fixed.isEmpty
            ? "" : "; these are as before until flowprobe is started anew: \(fixed.joined(separator: ", "))"),
        fixed.isEmpty ? .notice : .warning)
    } catch {
      Console.say("the configuration stays as it was: \(error)", .error)
    }
  }

  /// Reads the options again, from the files too; what was set since the start is forgotten.
  ///
  /// - Returns: options that are others there, and take a restart.
  func reloadOptions() throws(ChangeRefusal) -> [String] {
    try changing.withLock { (changes: inout OptionChanges) throws(ChangeRefusal) in
      var anew = changes
      try anew.readAgain()
      let fixed = try change(to: anew.configuration())
      changes = anew
      return fixed
    }
  }

  /// Gives an option another value until the configuration is read again.
  func set(_ setting: Setting, to value: String) throws(ChangeRefusal) {
    try changing.withLock { (changes: inout OptionChanges) throws(ChangeRefusal) in
      var anew = changes
      try anew.set(setting, to: value)
      _ = try change(to: anew.configuration())
      changes = anew
    }
  }

  /// The settings as they are now, by the options' names.
  var settings: [(option: String, value: String)] {
    let values = parts.withLock { $0.configuration.settings }
    return Setting.all.map { ($0.option, values[$0.option] ?? "") }
  }

  /// Exports all active Flows now (flowEndReason 4), and returns when they have left.
  func flush() {
    let done = Completion()
    flushes.withLock { $0.append(done) }
    wake.call()
    done.wait { exportHasEnded.load(ordering: .acquiring) }
  }

  /// On the exporting thread: what ``flush()`` wants. False where nobody does.
  func flushIfWanted() -> Bool {
    let wanted = flushes.withLock { wanted in
      defer { wanted = [] }
      return wanted
    }
    guard !wanted.isEmpty else { return false }
    exportAndMeasure(at: liveInstant, everything: true)
    for done in wanted { done.call() }
    return true
  }
}
