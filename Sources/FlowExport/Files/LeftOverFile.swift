// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// A hidden file that nobody writes any more. It is read from its begin, as far as its messages are whole, a part at a time:
/// who exports waits as long.
///
/// Keeps the file locked. Belongs to the exporting thread.
final class LeftOverFile {
  let name: String
  /// What it was given, where this process has written it.
  let written: Written?
  /// Octets.
  let length: Int
  private let file: Int32
  private(set) var scan: MessageScan

  /// What a file was given: it was counted as sent.
  struct Written {
    var messages: Int
    var records: RecordTotals
  }

  /// - Parameter file: locked; it is closed with this.
  init(_ name: String, _ file: Int32, _ written: Written?) {
    (self.name, self.file, self.written) = (name, file, written)
    length = Int(lseek(file, 0, SEEK_END))
    scan = MessageScan(countsRecords: written != nil)
    // What the system holds of it may be other than what the disk has.
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
  }

  deinit { close(file) }

  /// Whether somebody has removed it.
  var isRemoved: Bool { !FileDirectory.isNamed(file) }

  /// Reads on.
  ///
  /// - Parameter rest: octets that may be read; afterwards those that still may.
  /// - Returns: whether it has been read to its end.
  func read(_ rest: inout Int) throws(SystemError) -> Bool { try scan.read(file, &rest) }

  /// Completes a file that has been read, up to its last whole message; without Data Records it is removed.
  ///
  /// - Returns: its name and how many octets were cut off; nil: it is removed.
  func finish(
    in directory: borrowing FileDirectory, _ sync: FileSync
  ) throws(SystemError) -> (name: String, octetsCutOff: Int)? {
    guard scan.hasData else {
      directory.remove(name)
      return nil
    }
    guard ftruncate(file, scan.end) == 0, sync == .never || fsync(file) == 0 else { throw .last }
    let found = try directory.publish(name)
    if sync != .never { try? directory.sync() }
    return (found, length - scan.end)
  }
}
