// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// Files that options are taken from.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take options from this file too, one a line; of one that is given here too this one holds, of one that may be repeated all do.",
      valueName: "file"),
    completion: .file())
  var config: [String] = []

  @Option(
    name: .customLong("ipt-netflow-conf"),
    help: ArgumentHelp(
      "Take the settings of ipt_NETFLOW from this file: a line of modprobe.d or a listing of 'sysctl net.netflow'.",
      valueName: "file"),
    completion: .file())
  var moduleConfiguration: [String] = []

  @Flag(help: "Tell what would run, what would be missed and what stands in the way, and exit; nothing is started.")
  var check = false

  /// What options are read from, now and again.
  var all: [String] { config + moduleConfiguration }

  var areEmpty: Bool { all.isEmpty }

  /// The arguments with those of the files that they name in front.
  ///
  /// Before they are parsed, since the parser takes all arguments at once.
  static func including(_ arguments: [String]) throws(ConfigurationFile.Refusal) -> [String] {
    var included: [String] = []
    for path in values(of: "--config", in: arguments) { included += try ConfigurationFile(path: path).arguments }
    let paths = values(of: "--ipt-netflow-conf", in: arguments)
    if !paths.isEmpty {
      let text = try ModuleSettings.configuration(ofFiles: paths, group: ModuleSettings.defaultGroup)
      included += try ConfigurationFile(text, path: paths.joined(separator: ", ")).arguments
    }
    return included + arguments
  }

  /// What stands behind an option, or behind its equals sign.
  private static func values(of option: String, in arguments: [String]) -> [String] {
    arguments.indices.compactMap { place in
      if arguments[place] == option { return arguments.dropFirst(place + 1).first }
      guard arguments[place].hasPrefix(option + "=") else { return nil }
      return String(arguments[place].dropFirst(option.count + 1))
    }
  }
}

/// Turns an ipt_NETFLOW user's settings into a configuration file.
struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the configuration file that does what ipt_NETFLOW did.",
    discussion: """
      FILE is what its user has: a file of modprobe.d, the output of 'sysctl net.netflow' or of iptables-save, or several of
      them; '-' is standard input. Rules are turned by iptables-examples/from-ipt-netflow.

        flowprobe import /etc/modprobe.d/ipt_NETFLOW.conf > /etc/flowprobe/flowprobe.conf
      """)

  @Option(help: ArgumentHelp("The NFLOG group that the rules log to, 0 to 65535.", valueName: "group"))
  var group = ModuleSettings.defaultGroup

  @Argument(help: ArgumentHelp("The settings of ipt_NETFLOW.", valueName: "file"), completion: .file())
  var files: [String]

  func run() throws {
    do throws(ConfigurationFile.Refusal) {
      let text = try ModuleSettings.configuration(ofFiles: files, group: group)
      // What could not be used is told here, and not by the flowprobe that is to use it.
      _ = try ConfigurationFile(text, path: files.joined(separator: ", "))
      print(text, terminator: "")
    } catch {
      Console.say(error.description, .error)
      throw ExitCode.failure
    }
  }
}
