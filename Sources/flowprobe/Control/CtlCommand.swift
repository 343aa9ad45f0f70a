// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Glibc

/// Where a running flowprobe is asked.
struct ControlClientOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The control socket of the flowprobe that is asked.", valueName: "path"), completion: .file())
  var control = ControlSocket.defaultPath

  func validate() throws { try ControlOptions.check(control) }

  var client: ControlClient { ControlClient(path: control) }
}

/// Asks a running flowprobe, and prints what it answers.
struct Control: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ctl",
    abstract: "Asks a running flowprobe by its control socket.",
    discussion: """
      'flowprobe ctl help' lists what it can be asked.

        flowprobe ctl stat
        flowprobe ctl flows 100
        flowprobe ctl top 5 by packets of source
      """)

  @OptionGroup var options: ControlClientOptions

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What it is asked.", valueName: "command"))
  var words: [String]

  func run() throws {
    if ["--help", "-h"].contains(words.first) { return print(Flowprobe.helpMessage(for: Self.self)) }
    let request = words.joined(separator: " ")
    guard !request.contains("\n"), request.utf8.count < ControlCommand.mostOctets else {
      throw ValidationError("a command is one line of at most \(ControlCommand.mostOctets) octets.")
    }
    signal(SIGPIPE, SIG_IGN)
    do throws(ControlClientError) {
      // Names come from outside: what a terminal would take as an order is not shown.
      let isTerminal = isatty(STDOUT_FILENO) == 1
      // Who reads it may leave when it has seen enough.
      try options.client.ask(request) { octets in
        let shown = isTerminal ? octets.map { $0 < 0x20 && $0 != 0x0a || $0 == 0x7f ? UInt8(ascii: "?") : $0 } : octets
        return Console.write(to: STDOUT_FILENO, shown) == 0
      }
    } catch {
      Console.say(error.description)
      throw ExitCode.failure
    }
  }
}
