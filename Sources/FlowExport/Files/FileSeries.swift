// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// The files of a destination, one after the other.
///
/// Belongs to the exporting thread.
final class FileSeries {
  let pattern: FilePattern
  private let rules: FileRules
  private let keepsOptions: Bool
  private(set) var current: FileSession?
  /// Those that could not be completed; tried again now and then.
  private var unfinished: [FileSession] = []
  /// Those of which the disk did not take what it was given, by their names: they are looked at again as if left over.
  private var doubtful: [String: Written] = [:]
  /// Whether the file before was written until its time was over: the next one's begins there.
  private var hasEndedInTime = false
  private var hasFinishedLeftOver = false
  /// Whether the file before is gone as it had no records.
  private(set) var hasLeftNothing = false

  private(set) var totals = FileTotals()
  private var events: [FileEvent] = []

  /// What a file was given: it was counted as sent.
  private struct Written {
    var messages: Int
    var records: RecordTotals
  }

  /// Octets of refused files that are read again when the next one begins: who exports waits as long. More are at the end.
  private static let mostReadAtOnce = 32 << 20
  /// Of files that could not be completed, more are left to the next start.
  private static let mostUnfinished = 16

  init(_ pattern: FilePattern, _ rules: FileRules, keepsOptions: Bool) {
    (self.pattern, self.rules, self.keepsOptions) = (pattern, rules, keepsOptions)
  }

  /// What an operator wants to hear of since the last call.
  func takeEvents() -> [FileEvent] {
    defer { events = [] }
    return events
  }

  private func path(_ name: String) -> String { "\(pattern.directory == "/" ? "" : pattern.directory)/\(name)" }

  /// Begins a file.
  ///
  /// - Parameter now: by the clock that names tell.
  func open(at now: Timestamp) throws(ExportError) -> FileSession {
    precondition(current == nil, "one file at a time")
    defer { hasEndedInTime = false }
    do throws(SystemError) {
      finishLeftOver()
      finishUnfinished()
      let seconds = rules.rotation(of: pattern)
      let period = hasEndedInTime ? FilePeriod(around: now, every: seconds) : FilePeriod(from: now, every: seconds)
      let session = try FileSession(pattern, rules, period, keepsOptions: keepsOptions)
      // The disk takes something again.
      finishDoubtful(upTo: Self.mostReadAtOnce)
      (current, totals.current) = (session, path(session.name))
      return session
    } catch {
      throw ExportError(.connect, reason: error.description)
    }
  }

  /// Whether the file that is written has come to its end, or is gone.
  func isOver(at now: Timestamp) -> Bool {
    guard let current else { return false }
    return current.isFull || !current.period.contains(now) || current.isRemoved
  }

  /// Ends the file that is written.
  ///
  /// - Parameter now: nil where it ends for another reason than its time.
  func close(at now: Timestamp? = nil) {
    guard let session = current else { return }
    if let now, let end = session.period.end { hasEndedInTime = now >= end }
    (current, totals.current, hasLeftNothing) = (nil, nil, false)
    if !finish(session, again: false) {
      unfinished.append(session)
      if unfinished.count > Self.mostUnfinished { unfinished.removeFirst() }
    }
  }

  /// Tries again what could not be completed.
  func finishUnfinished() {
    unfinished.removeAll { finish($0, again: true) }
    guard !doubtful.isEmpty, let directory = try? FileDirectory(pattern.directory) else { return }
    for (name, written) in doubtful where directory.isGone(name) {
      doubtful[name] = nil
      totals.unfinished -= 1
      // Else another one has completed it.
      if !directory.exists(name) { tellRemoved(name, written.records) }
    }
  }

  /// The same at the end, for the last time.
  func conclude() {
    finishUnfinished()
    finishDoubtful()
  }

  /// Whether nothing can be done for the file any more.
  private func finish(_ session: FileSession, again: Bool) -> Bool {
    guard !session.isRemoved else {
      tellRemoved(session.name, session.contents.totals)
      if again { totals.unfinished -= 1 }
      return true
    }
    do throws(SystemError) {
      switch try session.finish() {
      case .complete: totals.complete += 1
      case .empty: hasLeftNothing = true
      }
      if again { totals.unfinished -= 1 }
      return true
    } catch {
      if !again {
        totals.unfinished += 1
        events.append(.unfinished(path(session.name), error.description))
      }
      if session.isDoubtful {
        doubtful[session.name] = Written(messages: session.messages, records: session.contents.totals)
      }
      return session.isDoubtful
    }
  }

  private func tellRemoved(_ name: String, _ records: RecordTotals) {
    events.append(.removed(path(name), flows: records.flows.flows, natEvents: records.events))
  }

  /// Completes what a flowprobe left that ended before its time.
  private func finishLeftOver() {
    guard !hasFinishedLeftOver, let directory = try? FileDirectory(pattern.directory) else { return }
    hasFinishedLeftOver = true
    for (name, opened) in directory.leftOver() {
      switch opened {
      case .success(let file): finish(name, file, in: directory)
      case .failure(let error):
        events.append(.foreign(path(FileDirectory.hidden(name)), error.description))
      }
    }
  }

  /// Completes files that the disk refused with what it has of them.
  ///
  /// - Parameter limit: octets of all that are read.
  private func finishDoubtful(upTo limit: Int = .max) {
    guard !doubtful.isEmpty, let directory = try? FileDirectory(pattern.directory) else { return }
    var rest = limit
    for case (let name, .success(let file)) in directory.leftOver() {
      let length = max(0, Int(lseek(file, 0, SEEK_END)))
      guard let written = doubtful[name], length <= rest else {
        Glibc.close(file)
        continue
      }
      rest -= length
      doubtful[name] = nil
      totals.unfinished -= 1
      finish(name, file, in: directory, written)
    }
  }

  /// - Parameter written: what it was given, where that is known.
  private func finish(
    _ name: String, _ file: Int32, in directory: borrowing FileDirectory, _ written: Written? = nil
  ) {
    defer { Glibc.close(file) }
    do throws(SystemError) {
      // What the system holds of it may be other than what the disk has.
      posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
      let scan = try MessageScan(of: file, countsRecords: written != nil)
      let length = Int(lseek(file, 0, SEEK_END))
      guard scan.hasData else {
        directory.remove(name)
        return tellLost(path(name), written, scan)
      }
      guard ftruncate(file, scan.end) == 0, rules.sync == .never || fsync(file) == 0 else { throw .last }
      let found = try directory.publish(name)
      if rules.sync != .never { try? directory.sync() }
      totals.complete += 1
      events.append(.recovered(path(found), messages: scan.messages, octetsCutOff: length - scan.end))
      tellLost(path(found), written, scan)
    } catch {
      totals.unfinished += 1
      events.append(.unfinished(path(name), error.description))
    }
  }

  /// Tells what a file was given that the disk has not.
  private func tellLost(_ path: String, _ written: Written?, _ scan: MessageScan) {
    guard let written, let found = scan.records, scan.messages < written.messages else { return }
    // What the disk has may be anything.
    func missing(_ count: (RecordTotals) -> UInt64) -> UInt64 {
      let (written, found) = (count(written.records), count(found))
      return written - min(written, found)
    }
    events.append(
      .lost(
        path, messages: written.messages - scan.messages, flows: missing { $0.flows.flows },
        natEvents: missing { $0.events }))
  }
}
