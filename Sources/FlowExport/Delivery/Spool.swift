// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on names and octets of ours.

internal import FlowMeter
internal import Glibc

/// Messages on disk, in files of a directory that belongs to one flowprobe: it holds a lock (flock) on it while it runs, and
/// the lock ends with the process, however that ends.
///
/// Written files stay for the next flowprobe where this one ends before they were sent. Not thread-safe.
@safe final class Spool {
  let directory: String
  let capacity: Int
  /// Octets of all files.
  private(set) var octets = 0
  /// This run's part of the names: later runs have greater ones.
  private let run: String
  private let descriptor: Int32
  private let segmentSize: Int
  private let sync: FileSync
  private var number = 0
  /// The files that were there before, in their order.
  private var earlier: [(name: String, octets: Int)] = []
  /// What an operator wants to hear of what else is there; nil: nothing.
  private(set) var foreign: String?
  /// The one that is written to.
  private var open: (segment: SpoolSegment, file: Int32)?
  /// Since when it has something that is not on the disk; nil: all is.
  private var unsyncedSince: Timestamp?
  /// Whether files were made whose names are not on the disk.
  private var hasNewNames = false
  /// Files whose messages nobody needs any more, and that could not be removed.
  private var stuck = StuckFiles()
  /// What went wrong with the disk since the last ``keepUp()``, but for writing.
  private var upkeepError: SpoolError?

  /// Octets of a file that is read at most, for its name may be given to anything. A segment has 4 MiB and what it begins with.
  private static let longestSegment = 8 << 20
  private static let damagedSuffix = ".damaged"

  /// Opens the directory, made with its parents if it is not there, and takes it for us.
  ///
  /// - Parameters:
  ///   - capacity: octets of all files at most.
  ///   - segmentSize: octets of a file at most, without what it begins with.
  ///   - sync: when what is written is on the disk.
  init(_ directory: String, capacity: Int, segmentSize: Int, _ sync: FileSync) throws(SpoolError) {
    (self.directory, self.capacity, self.segmentSize, self.sync) = (directory, capacity, segmentSize, sync)
    let making = DirectoryTree.make(directory, mode: 0o700)
    let opened = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else {
      let error = SystemError.last
      throw SpoolError(directory, error.code == ENOENT ? making ?? error : error)
    }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let error = SystemError.last
      close(opened)
      throw SpoolError(directory, error)
    }
    descriptor = opened
    let found: SpoolNames
    do throws(SystemError) {
      found = try SpoolNames(in: opened)
    } catch {
      close(opened)
      throw SpoolError(directory, error)
    }
    run = SpoolSegment.run(after: Set(found.segments.compactMap(SpoolSegment.run)), at: .wallClock())
    // Nobody else has the directory: what a process left that ended in the midst of it.
    for name in found.temporary { unsafe unlinkat(opened, name, 0) }
    try takeNote(of: found)
    // Whether files can be made here is known now, and not when the first is needed.
    let probe = ".try"
    unsafe unlinkat(opened, probe, 0)
    let file = unsafe openat(opened, probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    // A disk that is full now need not be so later: what is in the files may be what fills it.
    guard file >= 0 || errno == ENOSPC || errno == EDQUOT else { throw SpoolError(directory, .last) }
    if file >= 0 { close(file) }
    unsafe unlinkat(opened, probe, 0)
  }

  /// As a destination wants it: two segments fit where half of what may wait in memory is left.
  convenience init(_ directory: String, _ configuration: DeliveryConfiguration) throws(SpoolError) {
    try self.init(
      directory, capacity: configuration.spoolSize, segmentSize: min(configuration.queue / 8, 4 << 20),
      configuration.spoolSync)
  }

  deinit {
    endSegment()
    retryRemoval()
    close(descriptor)
  }

  /// What a file is called that is to take a segment's place.
  private static func temporary(_ name: String) -> String { "." + name }

  // MARK: Earlier runs

  /// The segments that were there before, in their order.
  func findEarlier() -> [SpoolSegment] {
    earlier.map { file in
      let segment = SpoolSegment(name: file.name, run: String(file.name.prefix(16)), isLoaded: false)
      segment.octets = file.octets
      return segment
    }
  }

  /// Which of these can be read is found out now.
  ///
  /// - Throws: where it is this process that lacks something: what is there would wait for the next run, unseen.
  private func takeNote(of names: SpoolNames) throws(SpoolError) {
    var others = names.others
    for name in names.segments {
      do throws(SystemError) {
        let (file, size) = try openToRead(name)
        close(file)
        earlier.append((name, size))
        octets += size
      } catch {
        let error = SpoolError(directory, error)
        guard !error.isOurs else { throw error }
        others += 1
      }
    }
    guard others > 0 else { return }
    foreign =
      "\(others) files in its spool with '\(SpoolSegment.suffix)' behind their names are none that a spool wrote, or cannot be"
      + " read; they stay there; see 'ls -l \(directory)'"
  }

  /// Opens a file, if it is one: others wait for somebody (a pipe), have no end, or lead elsewhere.
  private func openToRead(_ name: String) throws(SystemError) -> (file: Int32, size: Int) {
    let file = unsafe openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { throw .last }
    var status = stat()
    let isRead = unsafe fstat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    guard isRead, status.st_size <= Self.longestSegment else {
      close(file)
      throw SystemError(code: isRead ? EFBIG : EINVAL)
    }
    return (file, Int(status.st_size))
  }

  /// The messages of a segment.
  ///
  /// - Returns: them, and how many octets behind them are no message.
  func read(_ segment: SpoolSegment) throws(SpoolError) -> (messages: [QueuedMessage], rest: Int) {
    if open?.segment === segment { endSegment() }
    let (file, size): (Int32, Int)
    do throws(SystemError) { (file, size) = try openToRead(segment.name) } catch { throw SpoolError(directory, error) }
    defer { close(file) }
    var content = [UInt8](repeating: 0, count: size)
    var count = 0
    while count < content.count {
      let got = unsafe content.withUnsafeMutableBytes {
        unsafe pread(file, $0.baseAddress! + count, $0.count - count, count)
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw SpoolError(directory, .last) }
      if got == 0 { break }
      count += got
    }
    content.removeLast(content.count - count)
    var reader = MessageReader()
    return reader.messages(in: content)
  }

  /// Its messages are delivered.
  func remove(_ segment: SpoolSegment) {
    if let open, open.segment === segment {
      close(open.file)
      (self.open, unsyncedSince) = (nil, nil)
    }
    takeAway(segment)
  }

  /// Puts a file aside that nobody can read: it stays for whoever wants to look into it.
  func putAside(_ segment: SpoolSegment) { takeAway(segment, to: segment.name + Self.damagedSuffix) }

  /// A file that stays has its octets counted, until it can be taken away.
  private func takeAway(_ segment: SpoolSegment, to name: String? = nil) {
    do throws(SystemError) {
      octets -= try stuck.takeAway((segment.name, name, segment.octets), in: descriptor)
    } catch {
      upkeepError = SpoolError(directory, error, isOfRemoval: true)
    }
  }

  // MARK: Writing

  /// Whether there is room for a message more.
  func hasRoom(for message: QueuedMessage) -> Bool { octets + message.octets.count <= capacity }

  /// Writes a message behind the others.
  ///
  /// - Parameters:
  ///   - isLoaded: whether it is in memory too.
  ///   - beginning: what a new segment begins with.
  /// - Returns: the segment, and whether it is a new one.
  func append(
    _ message: QueuedMessage, isLoaded: Bool, _ beginning: () -> [QueuedMessage]
  ) throws(SpoolError) -> (segment: SpoolSegment, isNew: Bool) {
    if let open, open.segment.isLoaded == isLoaded, try appendToOpen(message) { return (open.segment, false) }
    number += 1
    let segment = SpoolSegment(name: SpoolSegment.name(run: run, number: number), run: run, isLoaded: isLoaded)
    try begin(segment, beginning(), message)
    return (segment, true)
  }

  /// Writes messages to files whose names are ahead of a segment's: the newest, as many as there is room for.
  ///
  /// - Parameters:
  ///   - first: nil where nothing is left of the run.
  ///   - run: the run; nil: this one.
  ///   - beginning: what a file begins with, ahead of a message.
  func keep(
    _ messages: [QueuedMessage], ahead first: SpoolSegment?, run: String?,
    _ beginning: (QueuedMessage) -> [QueuedMessage]
  ) throws(SpoolError) {
    endSegment()
    var (number, room) = (0, capacity - octets)
    let start = messages.lastIndex { message in
      room -= message.octets.count
      return room < 0
    }
    for message in messages[(start.map { $0 + 1 } ?? 0)...] {
      if try appendToOpen(message) { continue }
      number += 1
      let run = run ?? self.run
      let name = SpoolSegment.name(run: run, number: number, ahead: first)
      try begin(SpoolSegment(name: name, run: run, isLoaded: false), beginning(message), message)
    }
    endSegment()
  }

  /// False where the message has no room in the segment that is written to.
  private func appendToOpen(_ message: QueuedMessage) throws(SpoolError) -> Bool {
    guard let open, open.segment.octets - open.segment.beginning + message.octets.count <= segmentSize
    else { return false }
    try write(message.octets, open)
    noteUnsynced()
    open.segment.note(message.contents)
    return true
  }

  /// Begins a segment, which is written to then.
  private func begin(
    _ segment: SpoolSegment, _ beginning: [QueuedMessage], _ message: QueuedMessage
  ) throws(SpoolError) {
    endSegment()
    let name = segment.name
    let file = unsafe openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw SpoolError(directory, .last) }
    do throws(SpoolError) {
      try write(beginning.flatMap(\.octets) + message.octets, (segment, file))
    } catch {
      close(file)
      unsafe unlinkat(descriptor, name, 0)
      throw error
    }
    open = (segment, file)
    segment.beginning = segment.octets - message.octets.count
    hasNewNames = true
    noteUnsynced()
    for message in beginning + [message] { segment.note(message.contents) }
  }

  /// All or nothing: where the disk is full in the midst of a message, its beginning is taken back.
  private func write(_ octets: [UInt8], _ target: (segment: SpoolSegment, file: Int32)) throws(SpoolError) {
    var count = 0
    while count < octets.count {
      let put = unsafe octets.withUnsafeBytes {
        unsafe Glibc.write(target.file, $0.baseAddress! + count, $0.count - count)
      }
      if put < 0, errno == EINTR { continue }
      guard put > 0 else {
        let error = SystemError.last
        ftruncate(target.file, target.segment.octets)
        lseek(target.file, target.segment.octets, SEEK_SET)
        throw SpoolError(directory, error)
      }
      count += put
    }
    target.segment.octets += octets.count
    self.octets += octets.count
  }

  /// Has the next message begin a segment; the one before is complete.
  func endSegment() {
    guard let open else { return }
    if sync != .never { bringToDisk(open.file, fsync) }
    close(open.file)
    self.open = nil
  }

  private func noteUnsynced() { if unsyncedSince == nil { unsyncedSince = .monotonicClock() } }

  private func bringToDisk(_ file: Int32, _ call: (Int32) -> Int32) {
    guard unsyncedSince != nil else { return }
    if call(file) != 0 || hasNewNames && fsync(descriptor) != 0 { upkeepError = SpoolError(directory, .last) }
    // To ask again is to be told that all is well; what is not can be read until the machine stops.
    (unsyncedSince, hasNewNames) = (nil, false)
  }

  /// Brings what was written to the disk where that is due, and tries again to remove what could not be removed.
  ///
  /// - Throws: what went wrong with that since the last call.
  func keepUp() throws(SpoolError) {
    if case .every(let seconds) = sync, let open, let unsyncedSince,
      Timestamp.monotonicClock().milliseconds - unsyncedSince.milliseconds >= Int64(seconds) * 1000
    {
      bringToDisk(open.file, fdatasync)
    }
    if stuck.isDue(at: .monotonicClock()) { retryRemoval() }
    defer { upkeepError = nil }
    if let upkeepError { throw upkeepError }
  }

  private func retryRemoval() {
    let (gone, error) = stuck.retry(in: descriptor)
    octets -= gone
    if let error { upkeepError = SpoolError(directory, error, isOfRemoval: true) }
  }

  /// Puts these messages in the place of a segment's.
  func replace(_ segment: SpoolSegment, by messages: [QueuedMessage]) throws(SpoolError) {
    if open?.segment === segment { endSegment() }
    let temporary = Self.temporary(segment.name)
    let file = unsafe openat(descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw SpoolError(directory, .last) }
    defer { close(file) }
    let next = SpoolSegment(name: segment.name, run: segment.run, isLoaded: true)
    do throws(SpoolError) {
      try write(messages.flatMap(\.octets), (next, file))
      guard sync == .never || fsync(file) == 0,
        unsafe renameat(descriptor, temporary, descriptor, segment.name) == 0
      else {
        throw SpoolError(directory, .last)
      }
    } catch {
      unsafe unlinkat(descriptor, temporary, 0)
      octets -= next.octets
      throw error
    }
    if sync != .never { _ = fsync(descriptor) }
    octets -= segment.octets
    segment.octets = next.octets
  }
}
