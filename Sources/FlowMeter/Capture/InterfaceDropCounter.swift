// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: asks for an interface's name.

internal import Glibc

/// Packets that an interface lost before the kernel had them, as its driver counts them: rx_missed_errors and
/// rx_fifo_errors of sysfs.
///
/// libpcap has them too, but in 32 bits, of promiscuous captures alone, and by a name that may be another's by now; where it
/// cannot read them it takes them for 0.
struct InterfaceDropCounter {
  /// Since the first reading.
  private(set) var total: UInt64 = 0
  private var last: UInt64?
  private let directory: String

  init(directory: String = "/sys/class/net") { self.directory = directory }

  /// The next reading is of another interface, or of one that is there again.
  mutating func beginAnew() { last = nil }

  /// Where the driver's counters cannot be read they are as they were.
  mutating func read(ofInterface index: UInt32) {
    guard let count = count(index) else { return }
    // A driver that was loaded again has begun anew.
    if let last { total &+= count >= last ? count - last : count }
    last = count
  }

  private func count(_ index: UInt32) -> UInt64? {
    let name = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) {
      unsafe if_indextoname(index, $0.baseAddress).map { unsafe String(cString: $0) }
    }
    guard let name else { return nil }
    func number(_ file: String) -> UInt64? {
      TextFile.read("\(directory)/\(name)/\(file)").flatMap { UInt64($0.prefix { $0.isNumber }) }
    }
    // Another network namespace's, where that is what is mounted.
    guard number("ifindex") == UInt64(index), let missed = number("statistics/rx_missed_errors"),
      let overrun = number("statistics/rx_fifo_errors")
    else { return nil }
    return missed &+ overrun
  }
}
