// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads a file into memory of ours.

internal import Glibc

/// Small text files of the system's.
package enum TextFile {
  /// Nil where the file cannot be read or is empty.
  ///
  /// - Parameter limit: octets; what is behind is left out. A file of the system's gives no more in one read.
  package static func read(_ path: String, limit: Int = 4096) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: limit) { buffer in
      let count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      guard count > 0 else { return nil }
      return unsafe String(decoding: buffer[..<count], as: UTF8.self)
    }
  }
}
