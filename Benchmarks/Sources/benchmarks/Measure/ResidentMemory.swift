// SPDX-License-Identifier: Apache-2.0

internal import CAllocations
internal import Glibc

/// What a process has in memory, as the kernel tells it in /proc/PID/status. Bytes.
struct ResidentMemory {
  /// Now (VmRSS).
  var resident = 0
  /// The most at a time so far (VmHWM).
  var peak = 0
  /// Of that, memory which other processes may have too (RssShmem), now.
  var shared = 0

  /// Bytes of this process now, after what was freed has been given back.
  static var bytes: Int {
    callocations_give_back()
    return now(of: getpid())?.resident ?? 0
  }

  /// Of another process; nil where it has gone.
  static func now(of process: pid_t) -> ResidentMemory? {
    guard let text = Files.read("/proc/\(process)/status") else { return nil }
    var memory = ResidentMemory()
    // Name, blanks, kibibytes, "kB". A process that has ended and waits to be noticed has none.
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count > 1, let kibibytes = Int(words[1]) else { continue }
      switch words[0] {
      case "VmRSS:": memory.resident = kibibytes * 1024
      case "VmHWM:": memory.peak = kibibytes * 1024
      case "RssShmem:": memory.shared = kibibytes * 1024
      default: break
      }
    }
    return memory.peak > 0 ? memory : nil
  }
}
