// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: stat(2) into a structure of ours.

internal import ArgumentParser
internal import FlowMeter
internal import Glibc

/// Serves ipt_NETFLOW's objects to snmpd.
struct SNMP: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snmp",
    abstract: "Serves the statistics to net-snmp's snmpd, as the objects of IPT-NETFLOW-MIB.",
    discussion: """
      A line in /etc/snmp/snmpd.conf starts it:

        pass_persist \(ObjectTree.root) /usr/local/sbin/flowprobe snmp
      """)

  @Option(
    name: .customLong("stat-dir"),
    help: ArgumentHelp("Where the flowprobe that is asked about writes its statistics files.", valueName: "directory"),
    completion: .directory)
  var directory = StatisticsOptions.defaultDirectory

  func run() {
    signal(SIGPIPE, SIG_IGN)
    let files = StatisticsReader(directory)
    let requests = PassPersist { files.tree }
    while let answer = requests.answer({ readLine() }) {
      guard Console.write(to: STDOUT_FILENO, answer) == 0 else { return }
    }
  }
}

/// The objects as the statistics files tell of them, read at most every two seconds.
private final class StatisticsReader {
  private static let interval: Int64 = 2000
  /// What is older was left by a flowprobe that has ended.
  private static let mostAge: Int64 = 10_000

  private let directory: String
  private var known = ObjectTree()
  private var next = Timestamp.monotonicClock()

  init(_ directory: String) { self.directory = directory }

  var tree: ObjectTree {
    let now = Timestamp.monotonicClock()
    if now >= next {
      next = now.advanced(byMilliseconds: Self.interval)
      known = read() ?? ObjectTree()
    }
    return known
  }

  private func read() -> ObjectTree? {
    let programs = "\(directory)/\(StatisticsWriter.snmp)"
    var status = stat()
    guard unsafe stat(programs, &status) == 0 else { return nil }
    let written = Timestamp(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    guard Timestamp.wallClock().milliseconds - written.milliseconds < Self.mostAge,
      let programs = TextFile.read(programs, limit: 1 << 20),
      let people = TextFile.read("\(directory)/\(StatisticsWriter.proc)", limit: 1 << 20)
    else { return nil }
    return ObjectTree(people: people, programs: programs, started: started)
  }

  private var started: Timestamp? {
    let name = "\nflowprobe_start_time_seconds "
    guard let text = TextFile.read("\(directory)/\(StatisticsWriter.prometheus)"), let place = text.firstRange(of: name)
    else { return nil }
    let seconds = Double(text[place.upperBound...].prefix { $0 != "\n" })
    return seconds.map { Timestamp(milliseconds: Int64(saturating: $0 * 1000)) }
      .map { min(max($0, Timestamp.plausible.lowerBound), Timestamp.plausible.upperBound) }
  }
}
