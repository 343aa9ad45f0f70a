// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on a path of ours.

internal import FlowMeter
internal import Glibc

/// A file that names the process, and is locked (flock) while that runs: who finds it unlocked knows that its process
/// is gone, however that ended.
struct PidFile: ~Copyable {
  private let path: String
  private let descriptor: Int32

  init(path: String) throws(ServiceError) {
    let descriptor = try Self.locked(path)
    ftruncate(descriptor, 0)
    let code = Console.write(to: descriptor, "\(getpid())\n")
    guard code == 0 else {
      close(descriptor)
      throw .file(path, SystemError(code: code))
    }
    (self.path, self.descriptor) = (path, descriptor)
  }

  /// Removes the file. Who may not do that any more, as another user or in another root directory, leaves it empty.
  deinit {
    ftruncate(descriptor, 0)
    if Self.isNamed(path, descriptor) { unsafe unlink(path) }
    close(descriptor)
  }

  private static func locked(_ path: String) throws(ServiceError) -> Int32 {
    while true {
      let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
      guard descriptor >= 0 else { throw .file(path, .last) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        close(descriptor)
        guard code == EWOULDBLOCK else { throw .file(path, SystemError(code: code)) }
        throw .running(path, process: TextFile.read(path).map { String($0.prefix { !$0.isNewline }) })
      }
      // Who held it may have removed it between the two: then the lock is on a file without a name.
      if isNamed(path, descriptor) { return descriptor }
      close(descriptor)
    }
  }

  private static func isNamed(_ path: String, _ descriptor: Int32) -> Bool {
    let ours = FileIdentity(ofDescriptor: descriptor)
    return ours != nil && ours == FileIdentity(ofPath: path)
  }
}
