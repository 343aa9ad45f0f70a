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
  private var doubtful: [String: LeftOverFile.Written] = [:]
  /// Those that are being read, to be completed with what of them is whole.
  private var leftOver: [LeftOverFile] = []
  /// Whether the file before was written until its time was over: the next one's begins there.
  private var hasEndedInTime = false
  private var hasSoughtLeftOver = false
  /// Whether the file before is gone as it had no records.
  private(set) var hasLeftNothing = false

  private(set) var totals = FileTotals()
  private var events: [FileEvent] = []

  /// Octets of hidden files that are read at once: who exports waits as long.
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
      seekLeftOver()
      finishLeftOver()
      finishUnfinished()
      let seconds = rules.rotation(of: pattern)
      let period = hasEndedInTime ? FilePeriod(around: now, every: seconds) : FilePeriod(from: now, every: seconds)
      let session = try FileSession(pattern, rules, period, keepsOptions: keepsOptions)
      // The disk takes something again.
      if !doubtful.isEmpty {
        seekDoubtful()
        finishLeftOver()
      }
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

  /// The same at the end, for the last time. What is left over and long is so for the next start.
  func conclude() {
    finishUnfinished()
    if !doubtful.isEmpty { seekDoubtful() }
    finishLeftOver()
    for file in leftOver { tellUnfinished(file, "it has not been read to its end yet") }
    leftOver = []
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
        doubtful[session.name] = .init(messages: session.messages, records: session.contents.totals)
      }
      return session.isDoubtful
    }
  }

  private func tellRemoved(_ name: String, _ records: RecordTotals) {
    events.append(.removed(path(name), flows: records.flows.flows, natEvents: records.events))
  }

  // MARK: Left over

  /// Finds what a flowprobe left that ended before its time.
  private func seekLeftOver() {
    guard !hasSoughtLeftOver, let directory = try? FileDirectory(pattern.directory) else { return }
    hasSoughtLeftOver = true
    for (name, opened) in directory.leftOver() {
      switch opened {
      case .success(let file): leftOver.append(LeftOverFile(name, file, nil))
      case .failure(let error):
        events.append(.foreign(path(FileDirectory.hidden(name)), error.description))
      }
    }
  }

  /// Finds the files that the disk refused.
  private func seekDoubtful() {
    guard let directory = try? FileDirectory(pattern.directory) else { return }
    for case (let name, .success(let file)) in directory.leftOver() {
      if let written = doubtful.removeValue(forKey: name) {
        leftOver.append(LeftOverFile(name, file, written))
      } else {
        Glibc.close(file)
      }
    }
  }

  /// Goes on with what is left over, the shortest first, and completes it with what the disk has of it: a long file takes
  /// some passes.
  func finishLeftOver() {
    guard !leftOver.isEmpty, let directory = try? FileDirectory(pattern.directory) else { return }
    leftOver.sort { $0.length < $1.length }
    var rest = Self.mostReadAtOnce
    while rest > 0, let file = leftOver.first {
      do throws(SystemError) {
        guard try file.read(&rest) else { return }
        try finish(file, in: directory)
      } catch {
        tellUnfinished(file, error.description)
      }
      leftOver.removeFirst()
    }
  }

  private func finish(_ file: LeftOverFile, in directory: borrowing FileDirectory) throws(SystemError) {
    if file.isRemoved {
      if let written = file.written { tellRemoved(file.name, written.records) }
    } else if let (name, octets) = try file.finish(in: directory, rules.sync) {
      totals.complete += 1
      events.append(.recovered(path(name), messages: file.scan.messages, octetsCutOff: octets))
      tellLost(path(name), file)
    } else {
      tellLost(path(file.name), file)
    }
    if file.written != nil { totals.unfinished -= 1 }
  }

  private func tellUnfinished(_ file: LeftOverFile, _ reason: String) {
    // What this process has written counts already.
    if file.written == nil { totals.unfinished += 1 }
    events.append(.unfinished(path(file.name), reason))
  }

  /// Tells what a file was given that the disk has not.
  private func tellLost(_ path: String, _ file: LeftOverFile) {
    let scan = file.scan
    guard let written = file.written, let found = scan.records, scan.messages < written.messages else { return }
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
