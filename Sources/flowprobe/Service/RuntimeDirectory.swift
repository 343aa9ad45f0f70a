// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Where the program has files while it runs.
enum RuntimeDirectory {
  /// Where they are looked for.
  static let standard = "/run/flowprobe"

  /// Where this process has them: where the service manager says so (`RUNTIME_DIRECTORY`, systemd.exec(5)), or where
  /// they are looked for, which root alone can make. Nil: nowhere. Asked for at the start: later it
  /// may be another user.
  static let ofProcess = {
    // Of several the first one is the unit's own.
    let own = Environment.value("RUNTIME_DIRECTORY")?.split(separator: ":").first.map(String.init)
    return own ?? (geteuid() == 0 ? standard : nil)
  }()
}
