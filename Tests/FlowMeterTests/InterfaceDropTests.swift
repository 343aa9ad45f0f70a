// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: files of ours.

import Glibc
import Testing

@testable import FlowMeter

@Suite("What an interface drops")
struct InterfaceDropTests {
  private static let loopback = unsafe if_nametoindex("lo")

  /// A directory as sysfs has it for the loopback interface.
  private final class Sysfs {
    let path: String

    init() {
      var template = Array("/tmp/flowmeter.XXXXXX".utf8CString)
      path = unsafe String(cString: mkdtemp(&template))
      for directory in ["/lo", "/lo/statistics"] { unsafe mkdir(path + directory, 0o700) }
    }

    deinit {
      for file in ["ifindex", "statistics/rx_missed_errors", "statistics/rx_fifo_errors"] { write(nil, file) }
      for directory in ["/lo/statistics", "/lo", ""] { unsafe rmdir(path + directory) }
    }

    /// Removes the file where there is no number.
    func write(_ number: UInt64?, _ file: String) {
      unsafe unlink("\(path)/lo/\(file)")
      guard let number else { return }
      let descriptor = unsafe open("\(path)/lo/\(file)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
      var text = "\(number)\n"
      text.withUTF8 { unsafe _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
      close(descriptor)
    }

    func set(missed: UInt64?, overrun: UInt64 = 0, index: UInt64 = UInt64(loopback)) {
      write(index, "ifindex")
      write(missed, "statistics/rx_missed_errors")
      write(overrun, "statistics/rx_fifo_errors")
    }
  }

  @Test("drops count from the first reading on; what cannot be read, or is another's, changes nothing")
  func counts() {
    let sysfs = Sysfs()
    var counter = InterfaceDropCounter(directory: sysfs.path)
    func read() -> UInt64 {
      counter.read(ofInterface: Self.loopback)
      return counter.total
    }
    #expect(read() == 0)
    sysfs.set(missed: 1000, overrun: 5_000_000_000)
    #expect(read() == 0)
    sysfs.set(missed: 1007, overrun: 5_000_000_001)
    #expect(read() == 8)
    sysfs.set(missed: nil)
    #expect(read() == 8)
    sysfs.set(missed: 9000, index: 4_000_000)
    #expect(read() == 8)
    sysfs.set(missed: 1009, overrun: 5_000_000_001)
    #expect(read() == 10)
    // The driver was loaded again.
    sysfs.set(missed: 3)
    #expect(read() == 13)
    counter.beginAnew()
    sysfs.set(missed: 500)
    #expect(read() == 13)
    sysfs.set(missed: 501)
    #expect(read() == 14)
  }
}
