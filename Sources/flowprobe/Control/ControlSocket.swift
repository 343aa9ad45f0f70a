// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket addresses, names and credentials of ours, handed to system calls.

internal import CShims
internal import FlowMeter
internal import Glibc

/// The Unix stream socket by which a running flowprobe is asked, and its file, which is removed with it.
final class ControlSocket: Sendable {
  /// Where it is looked for.
  static let defaultPath = RuntimeDirectory.standard + name
  static let name = "/control"

  let path: String
  /// It does not block.
  let descriptor: Int32
  private let identity: FileIdentity

  /// Makes the file, with mode 0660; one that nobody listens to any more is replaced.
  ///
  /// - Parameter group: whose members may connect too; nil: the process's own.
  init(path: String, group: String? = nil) throws(ListeningError) {
    let owner: gid_t? = if let group { try Self.identifier(ofGroup: group) } else { nil }
    DirectoryTree.makeParents(of: path)
    try Self.clear(path)
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .control(path, .last) }
    // The file is never open to more than it shall be, whatever the umask is.
    fchmod(descriptor, 0o660)
    let isBound = unsafe UnixAddress(path).with { unsafe bind(descriptor, $0, $1) } == 0
    guard isBound, owner.map({ unsafe chown(path, uid_t.max, $0) == 0 }) ?? true, unsafe chmod(path, 0o660) == 0,
      listen(descriptor, 16) == 0, let identity = FileIdentity(ofPath: path)
    else {
      let error = SystemError.last
      if isBound { unsafe unlink(path) }
      close(descriptor)
      throw .control(path, error)
    }
    (self.path, self.descriptor, self.identity) = (path, descriptor, identity)
  }

  deinit {
    // Another one's, who has replaced it, stays.
    if FileIdentity(ofPath: path) == identity { unsafe unlink(path) }
    close(descriptor)
  }

  /// Makes the file another user's. Where that cannot be, root alone may change things by it.
  func hand(to user: uid_t) { unsafe lchown(path, user, gid_t.max) }

  /// Whether the socket could be made now. Makes nothing.
  static func tryOut(path: String, group: String?) throws(ListeningError) {
    if let group { _ = try identifier(ofGroup: group) }
    do throws(SystemError) {
      if let end = path.lastIndex(of: "/") { _ = try DirectoryTree.tryOut(String(path[...end])) }
    } catch {
      throw .control(path, error)
    }
    _ = try hasRemains(path)
  }

  /// Removes the socket of a flowprobe that has ended without doing so.
  private static func clear(_ path: String) throws(ListeningError) {
    if try hasRemains(path) { unsafe unlink(path) }
  }

  /// Whether there is a socket that nobody listens to.
  private static func hasRemains(_ path: String) throws(ListeningError) -> Bool {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return false }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .noSocket(path) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .control(path, .last) }
    defer { close(descriptor) }
    // EAGAIN: its queue is full.
    let isAlive = unsafe UnixAddress(path).with { unsafe connect(descriptor, $0, $1) } == 0 || errno == EAGAIN
    guard !isAlive else { throw .taken(path) }
    return true
  }

  private static func identifier(ofGroup name: String) throws(ListeningError) -> gid_t {
    if let number = gid_t(name) { return number }
    var entry = unsafe group()
    var found: UnsafeMutablePointer<group>?
    return try unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) {
      (buffer) throws(ListeningError) in
      unsafe getgrnam_r(name, &entry, buffer.baseAddress!, buffer.count, &found)
      guard unsafe found != nil else { throw .noGroup(name) }
      return unsafe entry.gr_gid
    }
  }

  /// Takes the next client; nil where none waits.
  func accept() throws(SystemError) -> ControlClientSocket? {
    let client = cshims_accept(descriptor)
    if client >= 0 { return ControlClientSocket(descriptor: client) }
    guard [EAGAIN, EINTR, ECONNABORTED].contains(errno) else { throw .last }
    return nil
  }
}

/// A client of the control socket, as it was accepted.
struct ControlClientSocket {
  let descriptor: Int32

  /// Root, and flowprobe's own user.
  var mayChange: Bool {
    var (user, group) = (uid_t.max, gid_t.max)
    guard unsafe cshims_peer(descriptor, &user, &group) == 0 else { return false }
    return Self.mayChange(user: user)
  }

  static func mayChange(user: uid_t, ofUser own: uid_t = geteuid()) -> Bool { user == 0 || user == own }
}
