// SPDX-License-Identifier: Apache-2.0

internal import FuzzChecks
@testable internal import flowprobe

/// One input of fuzz-options: lines that become the program's options, and an octet that says which.
///
///     octet 0       what the text is, modulo 3:
///       0           a configuration file
///       1           ipt_NETFLOW's settings, which become one
///       2           lines of a setting's name and its value, as 'ctl set' has them
///     text          the rest (``KindAndText``)
///
/// Of lines that are taken the option parser makes the options: some hundred inputs a second.
struct OptionsRun {
  private let input: KindAndText

  init(_ octets: UnsafeRawBufferPointer) { input = unsafe KindAndText(octets) }

  func run() {
    switch input.kind % 3 {
    case 0: readConfiguration(input.text)
    case 1:
      guard let configuration = try? ModuleSettings(input.text).configuration(group: 5, of: "fuzz") else { return }
      readConfiguration(configuration)
    default: changeSettings()
    }
  }

  /// Options that are taken stand as lines in a file that gives the same options.
  private func readConfiguration(_ text: String) {
    guard let file = try? ConfigurationFile(text, path: "fuzz") else { return }
    let lines = file.arguments.map { $0.hasPrefix("--") ? String($0.dropFirst(2)) : "filter = \($0)" }
    guard let again = try? ConfigurationFile(lines.joined(separator: "\n"), path: "fuzz") else {
      return require(false, "options that were taken are refused when they are written down")
    }
    require(again.arguments == file.arguments, "options change when they are written down")
    for argument in file.arguments {
      require(argument != "--", "a line of the file ends the options")
      require(!argument.hasPrefix("--config"), "a file names another one")
    }
  }

  /// What is set is taken or refused; a setting that is set has one value.
  private func changeSettings() {
    var changes = OptionChanges([], arguments: ["--nflog=5"])
    for line in input.text.split(whereSeparator: \.isNewline).prefix(4) {
      let words = line.split(separator: " ", maxSplits: 1)
      guard let name = words.first, let setting = try? Setting.named(name) else { continue }
      guard (try? changes.set(setting, to: String(words.dropFirst().first ?? ""))) != nil else { continue }
      _ = try? changes.configuration()
      let arguments = setting.arguments("1") ?? []
      require(setting.removed(from: arguments).isEmpty, "a setting's own arguments are not known to be its")
    }
  }
}
