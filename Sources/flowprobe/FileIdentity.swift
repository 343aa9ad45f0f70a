// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: stat(2) into a structure of ours.

internal import Glibc

/// Which file a name or a descriptor is of: a name may be another file's by now.
struct FileIdentity: Hashable {
  private let device: dev_t
  private let node: ino_t

  private init(_ status: stat) { (device, node) = (status.st_dev, status.st_ino) }

  /// - Parameter followsLinks: whether the file is meant that a symbolic link leads to, or the link.
  init?(ofPath path: String, followsLinks: Bool = false) {
    var status = stat()
    guard unsafe fstatat(AT_FDCWD, path, &status, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    self.init(status)
  }

  init?(ofDescriptor descriptor: Int32) {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }
}
