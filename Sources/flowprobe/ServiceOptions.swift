// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// How the program runs where no service manager sees to that.
struct ServiceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run as this user once everything is open, with the capabilities that --keep-capabilities says.",
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

  @Option(
    name: .customLong("keep-capabilities"),
    help: ArgumentHelp(
      """
      Keep these capabilities once everything is open: those that are needed to open interfaces again and to list \
      translations; CAP_NET_RAW and CAP_NET_ADMIN, so that a changed configuration may have other sources; or none, and an \
      interface that goes away is not opened again. Default: needed; of root without --user, all.
      """, valueName: "which"))
  var keptCapabilities: KeptCapabilities?

  @Flag(
    name: .customLong("no-sandbox"),
    help: "Do without the sandbox of seccomp and Landlock, to debug flowprobe or one of its libraries.")
  var noSandbox = false
}

/// Which capabilities stay once everything is open.
enum KeptCapabilities: String, CaseIterable, ExpressibleByArgument { case needed, all, none }
