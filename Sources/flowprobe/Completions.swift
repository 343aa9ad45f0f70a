// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// What a shell completes: the command line as it is written, with the options of `meter`, whose name need not be given,
/// beside the names of the other commands.
///
/// The parser's own scripts offer a default command's options behind its name alone. The words of a filter are left out:
/// a shell would take the names of commands for some.
struct CompletedCommandLine: ParsableCommand {
  static let option = "--generate-completion-script"

  static let configuration = CommandConfiguration(
    commandName: Flowprobe._commandName, version: Flowprobe.version,
    subcommands: Flowprobe.commands.filter { $0 != Meter.self })

  @OptionGroup var files: ConfigurationOptions
  @OptionGroup var metering: MeteringOptions
  @OptionGroup var netfilter: NetfilterOptions
  @OptionGroup var export: ExportOptions
  @OptionGroup var statistics: StatisticsOptions
  @OptionGroup var control: ControlOptions
  @OptionGroup var service: ServiceOptions
  @OptionGroup var output: OutputOptions

  /// The script that arguments ask for; nil where they do not, or name no shell that there is one for.
  static func script(_ arguments: [String]) -> String? {
    guard arguments.count == 2, arguments[0] == option, let shell = CompletionShell(rawValue: arguments[1]) else {
      return nil
    }
    return completionScript(for: shell)
  }
}
