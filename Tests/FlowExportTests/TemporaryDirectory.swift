// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A directory that goes with its contents.
final class TemporaryDirectory {
  let path: String

  init() {
    var template = Array("/tmp/flowexport.XXXXXX".utf8CString)
    path = unsafe String(cString: mkdtemp(&template))
  }

  deinit {
    for name in names { remove(name) }
    unsafe rmdir(path)
  }

  /// What is in it, hidden files too.
  var names: [String] {
    guard let stream = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  func remove(_ name: String) { unsafe unlink("\(path)/\(name)") }

  func write(_ octets: [UInt8], to name: String) {
    let file = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    unsafe _ = octets.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
    close(file)
  }

  /// Writes a long file: a message of an Options Template, then so many of 65532 octets each with records of it.
  func writeMessages(_ count: Int, to name: String) {
    write(octets("000a 001e 6553f100 00000000 00000007 0003000e 0100 0001 0001 0095 0004"), to: name)
    let message = octets("000a fffc 6553f100 00000000 00000007 0100ffec") + [UInt8](repeating: 1, count: 65512)
    let file = unsafe open("\(path)/\(name)", O_WRONLY | O_APPEND | O_CLOEXEC)
    for _ in 0..<count { unsafe _ = message.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) } }
    close(file)
  }

  func read(_ name: String) -> [UInt8] {
    let file = unsafe open("\(path)/\(name)", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var octets = [UInt8](repeating: 0, count: 1 << 22)
    let count = unsafe octets.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
    return Array(octets.prefix(max(0, count)))
  }

  /// Puts a pipe in the place of the descriptor by which this process has a file open: no disk takes what is in it
  /// (fsync(2): EINVAL). False where it has none open.
  func breakSync(of name: String) -> Bool {
    let open = (Int32(3)..<1024).first { number in
      unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
        let length = unsafe readlink("/proc/self/fd/\(number)", buffer.baseAddress!, buffer.count)
        let octets = unsafe UnsafeRawBufferPointer(start: buffer.baseAddress, count: max(0, length))
        return unsafe String(decoding: octets, as: UTF8.self) == "\(path)/\(name)"
      }
    }
    guard let open else { return false }
    var ends: [Int32] = [0, 0]
    unsafe pipe(&ends)
    dup2(ends[1], open)
    for end in ends { close(end) }
    return true
  }

  func permissions(_ name: String) -> UInt32 {
    var status = stat()
    return unsafe lstat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  /// The messages of IPFIX that a file is made of, by the lengths in their headers.
  func messages(_ name: String) -> [[UInt8]] {
    var (messages, rest) = ([[UInt8]](), read(name)[...])
    while rest.count >= 4 {
      let length = Array(rest.prefix(4)).number(2, 2)
      messages.append(Array(rest.prefix(max(length, 4))))
      rest = rest.dropFirst(max(length, 4))
    }
    if !rest.isEmpty { messages.append(Array(rest)) }
    return messages
  }
}
