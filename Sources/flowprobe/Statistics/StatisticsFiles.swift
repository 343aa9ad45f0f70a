// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on names and texts of ours.

internal import FlowMeter
internal import Glibc

/// The files of a statistics directory: each is replaced as a whole, so that readers see one moment.
///
/// The directory belongs to one flowprobe, which holds a lock (flock) on it while it runs; the lock ends with the
/// process, however that ends. Not thread-safe.
struct StatisticsFiles: ~Copyable {
  let directory: String
  private var descriptor: Int32 = -1

  init(directory: String) { self.directory = directory }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Replaces a file.
  mutating func replace(_ name: String, by text: String) throws(StatisticsError) {
    var file = try begin(name)
    file.write(text)
    try finish(file)
  }

  /// A file in the making: readers see it when it is finished.
  struct PendingFile: ~Copyable {
    let name: String
    fileprivate let descriptor: Int32
    fileprivate var code: Int32 = 0

    fileprivate init(name: String, descriptor: Int32) { (self.name, self.descriptor) = (name, descriptor) }

    deinit { close(descriptor) }

    /// False once something went wrong, which the finish tells.
    @discardableResult
    mutating func write(_ text: String) -> Bool {
      if code == 0 { code = Console.write(to: descriptor, text) }
      return code == 0
    }
  }

  mutating func begin(_ name: String) throws(StatisticsError) -> PendingFile {
    try open()
    let temporary = Self.temporary(name)
    unsafe unlinkat(descriptor, temporary, 0)
    let file = unsafe openat(descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failed() }
    // Whatever the umask is.
    fchmod(file, 0o644)
    return PendingFile(name: name, descriptor: file)
  }

  /// Puts a file into the place of the one before, which stays where something went wrong.
  mutating func finish(_ file: consuming PendingFile) throws(StatisticsError) {
    let temporary = Self.temporary(file.name)
    var code = file.code
    if code == 0, unsafe renameat(descriptor, temporary, descriptor, file.name) != 0 { code = errno }
    guard code != 0 else { return }
    unsafe unlinkat(descriptor, temporary, 0)
    throw failed(code)
  }

  mutating func abandon(_ file: consuming PendingFile) { unsafe unlinkat(descriptor, Self.temporary(file.name), 0) }

  private static func temporary(_ name: String) -> String { ".\(name).new" }

  /// Opens the directory, made if it is not there, and takes it for us; nothing where that was done.
  private mutating func open() throws(StatisticsError) {
    if descriptor >= 0, isStillThere { return }
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    DirectoryTree.make(directory)
    let opened = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw failed() }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(opened)
      throw code == EWOULDBLOCK ? .taken(directory) : failed(code)
    }
    descriptor = opened
  }

  /// Whether files could be written to a directory now. Makes nothing.
  static func tryOut(_ directory: String) throws(StatisticsError) {
    do throws(SystemError) {
      guard try DirectoryTree.tryOut(directory) else { return }
    } catch {
      throw .system(directory, error)
    }
    let opened = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw .system(directory, .last) }
    defer { close(opened) }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else { throw .taken(directory) }
  }

  /// Whether the directory that is open has its name yet: /run may have been cleared.
  private var isStillThere: Bool {
    let ours = FileIdentity(ofDescriptor: descriptor)
    return ours != nil && ours == FileIdentity(ofPath: directory, followsLinks: true)
  }

  /// Makes a directory, and makes it another user's, who is to write to it.
  static func hand(_ directory: String, to account: ServiceUser) throws(ServiceError) {
    DirectoryTree.make(directory)
    guard unsafe lchown(directory, account.user, account.group) == 0 else {
      throw .statistics(directory, user: account.name, .last)
    }
  }

  private func failed(_ code: Int32 = errno) -> StatisticsError { .system(directory, SystemError(code: code)) }
}

/// Why there are no statistics files, in words for the operator.
enum StatisticsError: Error, Hashable, CustomStringConvertible {
  case system(String, SystemError)
  /// By another flowprobe.
  case taken(String)

  var description: String {
    switch self {
    case .system(let directory, let error):
      "cannot write statistics to '\(directory)': \(error); give another directory with --stat-dir, or --no-stat"
    case .taken(let directory):
      "another flowprobe writes its statistics to '\(directory)': this one does when that ends;"
        + " give it a directory of its own with --stat-dir, or --no-stat"
    }
  }
}
