// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: localtime_r and strftime fill a structure and memory of ours.

internal import FlowMeter
internal import Glibc

/// The wall clock where the machine is. The time zone is the one that the process first asked for.
enum LocalTime {
  /// What strftime(3) makes of a format; empty where it has no room.
  static func text(_ format: String, at moment: Timestamp) -> String {
    var local = unsafe parts(of: moment)
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
      let length = unsafe strftime(buffer.baseAddress!, buffer.count, format, &local)
      return unsafe String(decoding: UnsafeRawBufferPointer(start: buffer.baseAddress, count: length), as: UTF8.self)
    }
  }

  /// How far it is ahead of UTC then. Milliseconds.
  static func offset(at moment: Timestamp) -> Int64 { unsafe Int64(parts(of: moment).tm_gmtoff) * 1000 }

  private static func parts(of moment: Timestamp) -> tm {
    // Rounded down, also ahead of 1970.
    var seconds = time_t((Double(moment.milliseconds) / 1000).rounded(.down))
    var local = unsafe tm()
    unsafe localtime_r(&seconds, &local)
    return unsafe local
  }
}
