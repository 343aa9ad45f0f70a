// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: strerror_r writes into a buffer of ours.

internal import Glibc

/// An errno with its text.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The errno.
  public let code: Int32

  public init(code: Int32) { self.code = code }

  /// The error of the system call that just failed.
  public static var last: SystemError { SystemError(code: errno) }

  /// The system's own words, with a small first letter: `no such device`.
  public var description: String {
    let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      guard let base = buffer.baseAddress, unsafe strerror_r(code, base, buffer.count) == 0 else {
        return "error \(code)"
      }
      return unsafe String(cString: base)
    }
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
