// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Glibc

/// How a running program is asked.
struct ControlOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Answer 'flowprobe ctl' and 'flowprobe top' on this Unix socket. Default: \(ControlSocket.defaultPath) where root \
      exports live traffic, else none.
      """, valueName: "path"),
    completion: .file())
  var control: String?

  @Flag(name: .customLong("no-control"), help: "Have no control socket.")
  var isOff = false

  @Option(
    name: .customLong("control-group"),
    help: ArgumentHelp(
      "The group whose members may ask, in place of flowprobe's own; changes are for root and flowprobe's own user.",
      valueName: "group"),
    completion: .shellCommand("getent group | cut -d: -f1"))
  var group: String?

  func validate() throws {
    try control.map(Self.check)
    guard control == nil || !isOff else { throw ValidationError("--control and --no-control exclude each other.") }
    guard group != "" else { throw ValidationError("--control-group needs a group's name.") }
  }

  static func check(_ path: String) throws {
    guard (1...UnixAddress.mostOctets).contains(path.utf8.count) else {
      throw ValidationError(
        "'\(path)' is no path for a socket; give one of 1 to \(UnixAddress.mostOctets) octets.")
    }
  }

  /// The socket of a program that meters live traffic; nil for none.
  func configuration(exports: Bool) -> ControlConfiguration? {
    if isOff { return nil }
    if let control { return ControlConfiguration(path: control, group: group, isWanted: true) }
    guard exports, let directory = RuntimeDirectory.ofProcess else { return nil }
    return ControlConfiguration(path: directory + ControlSocket.name, group: group, isWanted: false)
  }
}

/// Where a program is asked.
struct ControlConfiguration: Hashable {
  var path: String
  /// Whose members may ask too; nil: the process's own group.
  var group: String?
  /// Whether the operator named it: without it the program does not start. One that is there by default is gone without.
  var isWanted: Bool
}
