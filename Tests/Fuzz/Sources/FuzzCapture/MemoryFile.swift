// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands the fuzzer's input to pwrite(2) as it came.

internal import FuzzChecks
internal import Glibc

/// A file that is in memory only, has no name, and has a path all the same.
struct MemoryFile: Sendable {
  static let shared = MemoryFile()

  private let descriptor: Int32

  private init() {
    var name = Array("/dev/shm/flowprobe-fuzz-XXXXXX".utf8CString)
    descriptor = unsafe mkstemp(&name)
    require(descriptor >= 0, "cannot make a file in /dev/shm")
    unsafe unlink(name)
  }

  var path: String { "/proc/self/fd/\(descriptor)" }

  /// Makes these octets the whole contents.
  @unsafe func write(_ octets: UnsafeRawBufferPointer) {
    require(ftruncate(descriptor, 0) == 0, "cannot empty the file in memory")
    let written = unsafe pwrite(descriptor, octets.baseAddress, octets.count, 0)
    require(written == octets.count, "cannot write the file in memory")
  }
}
