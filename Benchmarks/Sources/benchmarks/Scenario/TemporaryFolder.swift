// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: mkdtemp writes into an array that holds its pattern and the closing zero; a folder's entries are valid until
// the next is read.

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

  deinit { Self.remove(path) }

  /// The path of a new folder in it.
  func makeFolder(_ name: String) throws(BenchmarkError) -> String {
    let folder = "\(path)/\(name)"
    guard unsafe mkdir(folder, 0o700) == 0 else { throw BenchmarkError(cannot: "make the folder '\(folder)'") }
    return folder
  }

  /// Removes a file, or a folder with what is in it; nothing happens where there is none.
  static func remove(_ path: String) {
    if let folder = unsafe opendir(path) {
      while let entry = unsafe readdir(folder) {
        let name = unsafe withUnsafePointer(to: entry.pointee.d_name) {
          unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if name != ".", name != ".." { remove("\(path)/\(name)") }
      }
      unsafe closedir(folder)
    }
    unsafe Glibc.remove(path)
  }
}
