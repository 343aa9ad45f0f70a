// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on names and descriptors of ours.

internal import CShims
internal import FlowMeter
internal import Glibc

/// The directory that a destination's files are in, by its descriptor: it stays the same one under another name.
///
/// A file that is being written is hidden: it has a dot ahead of its name and ``ending`` behind it, and a lock (flock),
/// which ends with the process, however that ends.
struct FileDirectory: ~Copyable {
  /// Of the names of files that are being written.
  static let ending = ".ipfix-part"

  private let descriptor: Int32

  init(_ path: String) throws(SystemError) {
    descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .last }
  }

  deinit { close(descriptor) }

  /// What a file is called while it is written.
  static func hidden(_ name: String) -> String { ".\(name)\(ending)" }

  /// What a file that is being written shall be called; nil where it is no such file.
  static func name(of hidden: String) -> String? {
    guard hidden.first == ".", hidden.hasSuffix(ending), hidden.utf8.count > 1 + ending.utf8.count else { return nil }
    return String(hidden.dropFirst().dropLast(ending.count))
  }

  /// Makes a file to be written, under a name that nobody has, as near to the wanted one as can be.
  ///
  /// - Returns: its name when it is complete, and its descriptor.
  func make(_ wanted: String) throws(SystemError) -> (name: String, file: Int32) {
    var number = 0
    while true {
      let name = FilePattern.numbered(wanted, number)
      number += 1
      if exists(name) { continue }
      // As the umask has it.
      let file = unsafe openat(descriptor, Self.hidden(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
      guard file >= 0 else {
        if errno == EEXIST { continue }
        throw .last
      }
      // Without locks, as on some network file systems, nobody takes it for left over either.
      if flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK, Self.isNamed(file) { return (name, file) }
      // Somebody who looks for such files was faster.
      close(file)
    }
  }

  /// Whether a file has a name yet.
  static func isNamed(_ file: Int32) -> Bool {
    var status = stat()
    return unsafe fstat(file, &status) == 0 && status.st_nlink > 0
  }

  func exists(_ name: String) -> Bool {
    unsafe faccessat(descriptor, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
  }

  /// Gives a complete file its name, or where somebody has that the next one that nobody has. Never replaces another.
  ///
  /// - Returns: the name.
  func publish(_ wanted: String) throws(SystemError) -> String {
    var number = 0
    while true {
      let name = FilePattern.numbered(wanted, number)
      number += 1
      if move(Self.hidden(wanted), to: name) { return name }
      guard errno == EEXIST else { throw .last }
    }
  }

  /// False with errno.
  private func move(_ hidden: String, to name: String) -> Bool {
    if unsafe cshims_rename_no_replace(descriptor, hidden, name) == 0 { return true }
    // A file system that cannot tell, as NFS: a second name, then the first one goes.
    guard errno == EINVAL || errno == ENOSYS else { return false }
    guard unsafe linkat(descriptor, hidden, descriptor, name, 0) != 0 else {
      unsafe unlinkat(descriptor, hidden, 0)
      return true
    }
    guard [EPERM, EOPNOTSUPP, ENOSYS].contains(errno) else { return false }
    return replaceEmpty(hidden, name)
  }

  /// The same where a file has one name at most, as on some file systems by network or FUSE: an empty file takes the name
  /// ahead of it, so that nobody else's is replaced.
  private func replaceEmpty(_ hidden: String, _ name: String) -> Bool {
    let file = unsafe openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    guard file >= 0 else { return false }
    close(file)
    if unsafe renameat(descriptor, hidden, descriptor, name) == 0 { return true }
    let reason = errno
    unsafe unlinkat(descriptor, name, 0)
    errno = reason
    return false
  }

  /// Removes a file that was being written.
  func remove(_ name: String) { unsafe unlinkat(descriptor, Self.hidden(name), 0) }

  /// Whether a file that was being written is there no more: somebody has completed or removed it.
  func isGone(_ name: String) -> Bool { !exists(Self.hidden(name)) && errno == ENOENT }

  /// Brings the names to the disk.
  func sync() throws(SystemError) {
    guard fsync(descriptor) == 0 else { throw .last }
  }

  /// A file that was being written, locked: its name when it is complete, and its descriptor, which is the caller's to
  /// close; or why it cannot be opened.
  typealias LeftOver = (name: String, file: Result<Int32, SystemError>)

  /// The files that were being written and that nobody writes, as far as that can be known.
  func leftOver() -> [LeftOver] {
    // A descriptor of its own: reading moves it on, and closes it.
    let copy = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0 else { return [] }
    guard let stream = unsafe fdopendir(copy) else {
      Glibc.close(copy)
      return []
    }
    defer { unsafe closedir(stream) }
    var found: [LeftOver] = []
    while let entry = unsafe readdir(stream) {
      let hidden = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      guard let name = Self.name(of: hidden) else { continue }
      let file = unsafe openat(descriptor, hidden, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard file >= 0 else {
        if errno == EACCES || errno == EPERM { found.append((name, .failure(.last))) }
        continue
      }
      if flock(file, LOCK_EX | LOCK_NB) == 0, Self.isNamed(file), Self.isRegular(file) {
        found.append((name, .success(file)))
      } else {
        close(file)
      }
    }
    return found.sorted { $0.0 < $1.0 }
  }

  private static func isRegular(_ file: Int32) -> Bool {
    var status = stat()
    return unsafe fstat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }
}
