// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc
import Testing

@testable import flowprobe

/// Serialised: one of them changes the process's umask.
@Suite("Statistics files", .serialized)
struct StatisticsFilesTests {
  /// A directory that is not there, in one that is removed at the end.
  private final class Place {
    let root: String
    var directory: String { "\(root)/run/stat" }

    init() {
      var template = Array("/tmp/flowprobe-stat-XXXXXX".utf8CString)
      root = unsafe String(cString: mkdtemp(&template))
    }

    deinit { _ = unsafe system("rm -rf '\(root)'") }

    func mode(_ name: String = "") -> UInt32 {
      var status = stat()
      return unsafe lstat("\(directory)/\(name)", &status) == 0 ? status.st_mode & 0o777 : 0
    }

    func text(_ name: String) -> String? { TextFile.read("\(directory)/\(name)") }

    func exists(_ name: String) -> Bool { unsafe access("\(directory)/\(name)", F_OK) == 0 }
  }

  @Test("the directory is made, files are for all to read whatever the umask is, and nothing else is left")
  func modes() throws {
    let place = Place()
    let mask = umask(0o077)
    defer { umask(mask) }
    var files = StatisticsFiles(directory: place.directory)
    try files.replace("ipt_netflow", by: "one\n")
    #expect(place.mode() == 0o755)
    #expect(place.mode("ipt_netflow") == 0o644)
    #expect(place.text("ipt_netflow") == "one\n")
    try files.replace("ipt_netflow", by: "two\n")
    #expect(place.text("ipt_netflow") == "two\n")
    #expect(!place.exists(".ipt_netflow.new"))
  }

  @Test("whether files could be written is found out, and nothing is made")
  func tryOut() throws {
    let place = Place()
    try StatisticsFiles.tryOut(place.directory)
    try StatisticsFiles.tryOut(place.root)
    #expect(!place.exists(""))
    var files = StatisticsFiles(directory: place.directory)
    try files.replace("ipt_netflow", by: "one\n")
    #expect(throws: StatisticsError.taken(place.directory)) { try StatisticsFiles.tryOut(place.directory) }
    let below = "\(place.directory)/ipt_netflow/stat"
    #expect(throws: StatisticsError.system(below, SystemError(code: ENOTDIR))) { try StatisticsFiles.tryOut(below) }
  }

  @Test("until a file is finished, and when it is given up, readers see the one before")
  func unfinished() throws {
    let place = Place()
    var files = StatisticsFiles(directory: place.directory)
    try files.replace("flows", by: "before")
    var file = try files.begin("flows")
    file.write("half of ")
    #expect(place.text("flows") == "before")
    files.abandon(file)
    #expect(place.text("flows") == "before")
    #expect(!place.exists(".flows.new"))
  }

  @Test("a directory has one writer; the next one has it when that has ended")
  func lock() throws {
    let place = Place()
    do {
      var first = StatisticsFiles(directory: place.directory)
      try first.replace("a", by: "first")
      var second = StatisticsFiles(directory: place.directory)
      #expect(throws: StatisticsError.taken(place.directory)) { try second.replace("a", by: "second") }
      #expect(place.text("a") == "first")
    }
    var third = StatisticsFiles(directory: place.directory)
    try third.replace("a", by: "third")
    #expect(place.text("a") == "third")
  }

  @Test("a directory that was removed is made again")
  func removed() throws {
    let place = Place()
    var files = StatisticsFiles(directory: place.directory)
    try files.replace("a", by: "before")
    _ = unsafe system("rm -rf '\(place.directory)'")
    try files.replace("a", by: "after")
    #expect(place.text("a") == "after")
  }

  @Test("what the system refuses is told with what helps")
  func refused() {
    var files = StatisticsFiles(directory: "/proc/flowprobe")
    #expect(throws: StatisticsError.system("/proc/flowprobe", SystemError(code: ENOENT))) {
      try files.replace("a", by: "")
    }
    #expect(
      StatisticsError.system("/mnt", SystemError(code: EACCES)).description
        == "cannot write statistics to '/mnt': permission denied; give another directory with --stat-dir, or --no-stat")
  }

  @Test("the writer writes the files, the flows when asked, and at the end that it has ended")
  func writer() throws {
    let place = Place()
    let writer = StatisticsWriter(directory: place.directory)
    let table = try FlowTable()
    let thread = try WorkerThread(name: "statistics") {
      let sampler = StatisticsSampler { StatisticsSample.statistics }
      writer.run(sampler, table: { table }, now: { Timestamp(milliseconds: 0) })
    }
    func wait(for condition: () -> Bool) -> Bool {
      for _ in 0..<500 {
        if condition() { return true }
        usleep(10_000)
      }
      return false
    }
    #expect(wait { place.exists("flowprobe.prom") })
    #expect(!place.exists("ipt_netflow_flows"))
    writer.writeFlows()
    #expect(wait { place.exists("ipt_netflow_flows") })
    #expect(place.text("ipt_netflow_flows")?.hasPrefix("# hash a ") == true)
    writer.stop()
    thread.join()
    #expect(place.text("ipt_netflow")?.hasPrefix("flowprobe 0.1.0, ") == true)
    #expect(place.text("ipt_netflow_snmp")?.hasPrefix("inBitRate    ") == true)
    #expect(place.text("flowprobe.prom")?.contains("\nflowprobe_up 0\n") == true)
  }
}
