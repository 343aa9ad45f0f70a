// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: stdio on the system's own files and readlink(2), into memory of ours.

internal import CNetfilter
internal import FlowMeter
internal import Glibc

/// The groups that have a listener in this network namespace.
enum NFLogListeners {
  /// As /proc shows them to root: the port of each one's netlink socket, by the group's number. Empty where it does not.
  static var current: [UInt16: UInt32] {
    var ports: [UInt16: UInt32] = [:]
    forEachLine(of: "/proc/thread-self/net/netfilter/nfnetlink_log") { words in
      if words.count > 1, let group = UInt16(words[0]), let port = UInt32(words[1]) { ports[group] = port }
    }
    return ports
  }

  /// The program that has the netlink socket with this port; nil where that is not known for certain.
  ///
  /// A program's first socket has the number of its process, which another process may have too, elsewhere: it is the
  /// one if the socket is among its files.
  static func program(at port: UInt32) -> String? {
    var inode: Substring?
    // address, protocol, port, groups, memory, dump, locks, drops, inode
    forEachLine(of: "/proc/thread-self/net/netlink") { words in
      if words.count == 10, words[1] == "\(NETLINK_NETFILTER)", words[2] == "\(port)" { inode = words[9] }
    }
    guard let inode, let name = TextFile.read("/proc/\(port)/comm")?.split(separator: "\n").first,
      (0..<1024).contains(where: { link("/proc/\(port)/fd/\($0)") == "socket:[\(inode)]" })
    else { return nil }
    return "\(name), process \(port)"
  }

  private static func link(_ path: String) -> String? {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { buffer in
      let count = unsafe buffer.withMemoryRebound(to: CChar.self) { unsafe readlink(path, $0.baseAddress!, $0.count) }
      return count < 0 ? nil : unsafe String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  private static func forEachLine(of path: String, _ body: ([Substring]) -> Void) {
    let stream = unsafe fopen(path, "re")
    guard let stream = unsafe stream else { return }
    defer { unsafe fclose(stream) }
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { line in
      while let text = unsafe fgets(line.baseAddress, Int32(line.count), stream) {
        unsafe body(String(cString: text).split(whereSeparator: \.isWhitespace))
      }
    }
  }
}
