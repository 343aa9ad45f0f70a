// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// How the program runs where no service manager sees to that.
struct ServiceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run as this user once everything is open, with no more than the capabilities to open it again.",
      valueName: "name[:group]"),
    completion: .shellCommand("getent passwd | cut -d: -f1"))
  var user: String?

  @Option(
    help: ArgumentHelp(
      "Make this the root directory once everything is open; only with --user.", valueName: "directory"),
    completion: .directory)
  var chroot: String?

  @Option(
    help: ArgumentHelp(
      "Write the process id to this file, which is locked while flowprobe runs and removed at the end.",
      valueName: "file"),
    completion: .file())
  var pidfile: String?
}
