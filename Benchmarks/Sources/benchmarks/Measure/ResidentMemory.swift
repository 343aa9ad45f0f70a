// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads a file of the kernel's into an array of octets of the size that it names.

internal import CAllocations
internal import Glibc

/// What a process has in memory, as the kernel tells it in /proc/PID/status.
enum ResidentMemory {
  /// Bytes of this process now (VmRSS), after what was freed has been given back.
  static var bytes: Int {
    callocations_give_back()
    return read("self", "VmRSS:") ?? 0
  }

  /// The most bytes that a process had at a time (VmHWM); nil where it is gone.
  static func peak(of process: pid_t) -> Int? { read(String(process), "VmHWM:") }

  private static func read(_ process: String, _ name: String) -> Int? {
    let file = unsafe open("/proc/\(process)/status", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var octets = [UInt8](repeating: 0, count: 4096)
    let length = unsafe octets.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
    guard length > 0 else { return nil }
    // Name, blanks, kibibytes, "kB".
    for line in String(decoding: octets.prefix(length), as: UTF8.self).split(separator: "\n") {
      guard line.hasPrefix(name) else { continue }
      return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }
}
