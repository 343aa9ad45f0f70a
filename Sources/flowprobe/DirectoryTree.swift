// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on paths of ours.

internal import Glibc

/// Directories that are made as they are needed.
enum DirectoryTree {
  /// Makes a directory with its parents, for all to read, whatever the umask is. Who opens it is told what did not work.
  static func make(_ directory: String) {
    var path = directory.hasPrefix("/") ? "" : "."
    for part in directory.split(separator: "/") {
      path += "/\(part)"
      if unsafe mkdir(path, 0o755) == 0 { unsafe chmod(path, 0o755) }
    }
  }

  /// Makes the directory that a file shall be in.
  static func makeParents(of file: String) {
    if let end = file.lastIndex(of: "/") { make(String(file[..<end])) }
  }
}
