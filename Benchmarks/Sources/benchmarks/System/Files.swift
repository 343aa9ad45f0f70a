// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: a folder's entries are valid until the next is read; a file is read into an array of the size that is named.

internal import Glibc

/// Small files, as a whole.
enum Files {
  /// Writes a file as a whole.
  static func write(_ text: String, to path: String) throws(BenchmarkError) {
    guard let file = unsafe fopen(path, "we") else { throw BenchmarkError(cannot: "write '\(path)'") }
    let isWritten = unsafe fputs(text, file) >= 0
    let isClosed = unsafe fclose(file) == 0
    guard isWritten, isClosed else { throw BenchmarkError(cannot: "write '\(path)'") }
  }

  /// The first 64 KiB of a file; nil where it cannot be read.
  static func read(_ path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var octets = [UInt8](repeating: 0, count: 65_536)
    let length = unsafe octets.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
    return length < 0 ? nil : String(decoding: octets.prefix(length), as: UTF8.self)
  }

  /// How many lines a file has; 0 where it cannot be read.
  static func lineCount(_ path: String) -> UInt64 {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var octets = [UInt8](repeating: 0, count: 1 << 20)
    var lines: UInt64 = 0
    while true {
      let length = unsafe octets.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
      guard length > 0 else { return lines }
      for octet in octets.prefix(length) where octet == UInt8(ascii: "\n") { lines += 1 }
    }
  }

  /// What is in a folder; nothing where there is none.
  static func names(in path: String) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: entry.pointee.d_name) {
        unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a file, or a folder with what is in it; nothing happens where there is none.
  static func remove(_ path: String) {
    for name in names(in: path) { remove("\(path)/\(name)") }
    unsafe Glibc.remove(path)
  }
}
