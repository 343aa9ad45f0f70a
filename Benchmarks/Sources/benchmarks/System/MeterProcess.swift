// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: wait4 fills a structure of ours.

internal import CSystem
internal import Glibc

/// A program under measure, with all the processes that it makes: they become this one's when it goes first.
struct MeterProcess {
  /// What it took.
  struct Cost {
    /// User and system time of all processes and threads, from ``beginCounting()`` to their ends.
    var cpuNanoseconds: Double
    /// The most bytes they had in memory. What they share counts once.
    var peakBytes: Int
  }

  private struct Member {
    /// CPU time when counting began.
    var before: Int64 = 0
    var peak = 0
    var shared = 0
  }

  private static let milliseconds: UInt64 = 100

  private let child: ChildProcess
  private var members: [pid_t: Member]
  private var used = 0.0
  private var before = 0.0
  private var peaks: [Member] = []
  private var lastSearch = Clock.nanoseconds
  private var isStopping = false

  /// Starts a program; what it prints goes to the file `log`.
  init(_ path: String, _ arguments: [String], log: String, in place: ChildProcess.Place) throws(BenchmarkError) {
    csystem_adopt_orphans()
    child = try ChildProcess(path, arguments, log: log, in: place)
    members = [child.process: Member()]
  }

  var output: String { child.output }
  func printedNumber(_ name: String) -> UInt64? { child.printedNumber(name) }

  /// What was used so far is not to count, as at the end of a program's start.
  mutating func beginCounting() {
    search()
    for process in members.keys { members[process]?.before = max(0, csystem_process_nanoseconds(process)) }
  }

  /// CPU time since ``beginCounting()`` of the processes that still run.
  var nanoseconds: Int64 {
    members.reduce(0) { $0 + max(0, csystem_process_nanoseconds($1.key)) - $1.value.before }
  }

  /// The bytes that its processes have in memory now.
  var residentBytes: Int { members.keys.reduce(0) { $0 + (ResidentMemory.now(of: $1)?.resident ?? 0) } }

  /// Looks what has become of it; false when all its processes have ended.
  ///
  /// - Throws: it ended and should not have, or said that it failed.
  mutating func look() throws(BenchmarkError) -> Bool {
    if Clock.nanoseconds - lastSearch > Self.milliseconds * 1_000_000 { search() }
    try lookAtMembers()
    guard members.isEmpty else { return true }
    search()
    return !members.isEmpty
  }

  /// Has every process of it stop, by a signal.
  mutating func stop(_ signal: Int32) {
    isStopping = true
    search()
    for process in members.keys { Glibc.kill(process, signal) }
  }

  /// It is about to end by other means, and may say what it likes.
  mutating func willStop() { isStopping = true }

  /// Ends it at once, whatever it does.
  mutating func kill() {
    stop(SIGKILL)
    while (try? look()) == true { usleep(10_000) }
  }

  /// When it has ended.
  var cost: Cost {
    let shared = peaks.map(\.shared)
    let counted = peaks.reduce(0) { $0 + $1.peak } - shared.reduce(0, +) + (shared.max() ?? 0)
    return Cost(cpuNanoseconds: used - before, peakBytes: counted)
  }

  private mutating func lookAtMembers() throws(BenchmarkError) {
    var failure: BenchmarkError?
    for process in members.keys {
      // Of a process that has ended the kernel knows a peak that counts this program's too, from before it became
      // another: it is asked for while it runs.
      if let now = ResidentMemory.now(of: process) {
        members[process]!.peak = max(members[process]!.peak, now.peak)
        members[process]!.shared = max(members[process]!.shared, now.shared)
      }
      var status: Int32 = 0
      var usage = rusage()
      let result = unsafe wait4(process, &status, WNOHANG, &usage)
      // 0: it runs. -1: it is the child of another one here, or was, and then that one's time has its time.
      if result == 0 || (result < 0 && Glibc.kill(process, 0) == 0) { continue }
      if result == process {
        used += Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9
        used += Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3
      }
      if let member = members.removeValue(forKey: process) {
        before += Double(member.before)
        peaks.append(member)
      }
      guard process == child.process, status != 0, !isStopping else { continue }
      let how = status & 0x7f == 0 ? "with status \(status >> 8 & 0xff)" : "by signal \(status & 0x7f)"
      failure = BenchmarkError("'\(child.name)' ended \(how); it said: \(output.suffix(400))")
    }
    if let failure { throw failure }
  }

  /// Finds the processes that came since: those whose parent is one of its, or this one.
  private mutating func search() {
    lastSearch = Clock.nanoseconds
    var parents: [pid_t: pid_t] = [:]
    for name in Files.names(in: "/proc") {
      guard let process = pid_t(name), let text = Files.read("/proc/\(process)/stat") else { continue }
      // Number, name in parentheses, state, parent.
      let words = text.split(separator: ")").last?.split(separator: " ") ?? []
      if words.count > 1, let parent = pid_t(words[1]) { parents[process] = parent }
    }
    let own = getpid()
    for start in parents.keys where start != own && members[start] == nil {
      var process = start
      while let parent = parents[process], parent != own, members[parent] == nil { process = parent }
      if parents[process] != nil { members[start] = Member() }
    }
  }
}
