// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: shows the kernel messages within their batch.

internal import FlowMeter
internal import Glibc

/// An IPFIX File (RFC 5655) that is being written: a Transport Session of its own, with whole messages only.
///
/// Who reads the directory sees it under its name once it is complete; see ``FileDirectory``. What goes wrong ends it: the
/// session behind it begins another one, with the templates again.
final class FileSession: TransportSession {
  /// What it was to be called when it was begun.
  let name: String
  let period: FilePeriod
  private let directory: FileDirectory
  private let file: Int32
  private let rules: FileRules
  /// Whether it is worth keeping without Flow Records and NAT events: when it is to have others alone.
  private let keepsOptions: Bool

  /// Octets of the whole messages.
  private(set) var octets = 0
  /// What they carry.
  private(set) var contents = MessageBatch.Contents()
  private(set) var messages = 0
  /// Octets behind them could not be cut off.
  private var isTorn = false
  /// The disk did not take what it had been given; it says so once.
  private(set) var isDoubtful = false
  private var isSynced = true
  private var syncedAt = Timestamp.monotonicClock()

  /// Makes the file.
  init(
    _ pattern: FilePattern, _ rules: FileRules, _ period: FilePeriod, keepsOptions: Bool
  ) throws(SystemError) {
    let directory = try FileDirectory(pattern.directory)
    (name, file) = try directory.make(pattern.text(at: period.begin))
    self.directory = directory
    (self.rules, self.period, self.keepsOptions) = (rules, period, keepsOptions)
  }

  deinit { close(file) }

  // MARK: Writing

  var messageLimit: Int? { nil }
  var own: OwnSession? { nil }
  var sendQueue: SendQueue { SendQueue() }
  func takeAnswer() -> SendAnswer? { nil }

  /// Waits as long as the disk does.
  func send(_ batch: borrowing MessageBatch, _ range: Range<Int>) -> SendOutcome {
    let start = batch.offset(of: range.lowerBound)
    let length = batch.offset(of: range.upperBound) - start
    var (written, outcome) = (0, SendOutcome())
    while written < length {
      let count = unsafe pwrite(file, batch.octets.bytes + start + written, length - written, octets + written)
      if count > 0 {
        written += count
      } else if count == 0 || errno != EINTR {
        outcome.error = count == 0 ? ExportError(.other, reason: SystemError(code: EIO).description) : .last(.other)
        break
      }
    }
    isSynced = isSynced && written == 0
    var whole = 0
    while outcome.sent < range.count, whole + Int(batch.lengths[range.lowerBound + outcome.sent]) <= written {
      let place = range.lowerBound + outcome.sent
      whole += Int(batch.lengths[place])
      contents.flows.add(batch.contents[place].flows)
      contents.events += batch.contents[place].events
      outcome.sent += 1
    }
    octets += whole
    messages += outcome.sent
    if written > whole { isTorn = ftruncate(file, octets) != 0 }
    return outcome
  }

  /// Brings what was written to the disk where that is due.
  func keepUp() throws(SystemError) {
    let now = Timestamp.monotonicClock()
    guard case .every(let seconds) = rules.sync, !isSynced,
      now.milliseconds - syncedAt.milliseconds >= Int64(seconds) * 1000
    else { return }
    syncedAt = now
    try sync(fdatasync)
  }

  private func sync(_ call: (Int32) -> Int32) throws(SystemError) {
    guard !isSynced else { return }
    guard call(file) == 0 else {
      let error = SystemError.last
      isDoubtful = true
      throw error
    }
    isSynced = true
  }

  // MARK: The end

  /// Whether it is as long as it may be.
  var isFull: Bool { rules.size > 0 && octets >= rules.size }

  /// Whether somebody has removed it.
  var isRemoved: Bool { !FileDirectory.isNamed(file) }

  /// How a file ended.
  enum End: Hashable {
    /// It is there under this name.
    case complete(String)
    /// There was nothing in it to keep.
    case empty
  }

  /// Completes the file: nothing can be written to it any more. Where that fails it can be tried again.
  func finish() throws(SystemError) -> End {
    // Of what the disk has lost who reads it again finds out: to ask again is to be told that all is well.
    guard !isDoubtful else { throw SystemError(code: EIO) }
    if isTorn {
      guard ftruncate(file, octets) == 0 else { throw .last }
      isTorn = false
    }
    guard octets > 0, keepsOptions || contents.flows.flows + contents.events > 0 else {
      directory.remove(name)
      return .empty
    }
    if rules.sync != .never { try sync(fsync) }
    let name = try directory.publish(name)
    // The file is whole whichever of its names the disk has.
    if rules.sync != .never { try? directory.sync() }
    return .complete(name)
  }
}
