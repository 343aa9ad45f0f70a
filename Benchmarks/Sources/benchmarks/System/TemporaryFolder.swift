// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: mkdtemp writes into an array that holds its pattern and the closing zero.

internal import Glibc

/// A folder of its own that goes, with all that is in it, when the last who uses it has.
final class TemporaryFolder {
  let path: String

  /// In TMPDIR, or in memory where that is not set.
  init() throws(BenchmarkError) {
    var base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? ""
    if base.isEmpty { base = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp" }
    var pattern = Array("\(base)/flowprobe-benchmarks.XXXXXX".utf8CString)
    let made = unsafe pattern.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) != nil }
    guard made else { throw BenchmarkError(cannot: "make a folder in '\(base)'") }
    path = unsafe pattern.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }
  }

  deinit { Files.remove(path) }

  /// The path of a new folder in it.
  func makeFolder(_ name: String) throws(BenchmarkError) -> String {
    let folder = "\(path)/\(name)"
    guard unsafe mkdir(folder, 0o700) == 0 else { throw BenchmarkError(cannot: "make the folder '\(folder)'") }
    return folder
  }
}
