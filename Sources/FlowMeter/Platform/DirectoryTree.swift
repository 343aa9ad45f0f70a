// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on paths of ours.

internal import Glibc

/// Directories that are made as they are needed.
package enum DirectoryTree {
  /// Makes a directory with its parents, whatever the umask is. Who opens it is told what did not work.
  ///
  /// - Parameter mode: who may do what with it; default: all may read it, as its parents.
  /// - Returns: why one of them could not be made; nil where all are there.
  @discardableResult
  package static func make(_ directory: String, mode: UInt32 = 0o755) -> SystemError? {
    var failure: SystemError?
    var path = directory.hasPrefix("/") ? "" : "."
    let parts = directory.split(separator: "/")
    for (place, part) in parts.enumerated() {
      path += "/\(part)"
      let mode = place == parts.count - 1 ? mode : 0o755
      if unsafe mkdir(path, mode) == 0 {
        unsafe chmod(path, mode)
      } else if errno != EEXIST {
        failure = .last
      }
    }
    return failure
  }

  /// Makes the directory that a file shall be in.
  package static func makeParents(of file: String) {
    if let end = file.lastIndex(of: "/") { make(String(file[..<end])) }
  }

  /// Whether a directory is there; one that is not could be made. Makes nothing.
  ///
  /// - Throws: where the process cannot make files in it, or cannot make it.
  package static func tryOut(_ directory: String) throws(SystemError) -> Bool {
    var status = stat()
    if unsafe stat(directory, &status) == 0 {
      try tryWriting(directory)
      return true
    }
    guard errno == ENOENT else { throw .last }
    // It would be made where its nearest parent is that there is.
    var parent = directory[...]
    repeat {
      parent = parent.lastIndex(of: "/").map { parent[..<$0] } ?? ""
    } while unsafe !parent.isEmpty && access(String(parent), F_OK) != 0
    try tryWriting(!parent.isEmpty ? String(parent) : directory.hasPrefix("/") ? "/" : ".")
    return false
  }

  /// By the rights that the process has.
  private static func tryWriting(_ directory: String) throws(SystemError) {
    guard unsafe faccessat(AT_FDCWD, directory + "/.", W_OK | X_OK, AT_EACCESS) == 0 else { throw .last }
  }
}
