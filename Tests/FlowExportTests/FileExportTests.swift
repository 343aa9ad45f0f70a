// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc
import Testing

@testable import FlowExport

@Suite("Exporting to files")
struct FileExportTests {
  /// What an exporter has told.
  private final class Events { var list: [String] = [] }

  private let directory = TemporaryDirectory()
  private let events = Events()

  private func exporter(_ name: String, _ change: (inout ExportConfiguration) -> Void = { _ in }) throws
    -> CollectorExporter
  {
    var defaults = ExportConfiguration()
    defaults.refreshRate = 1
    change(&defaults)
    let destination = try ExportDestination("file://\(directory.path)/\(name)", defaults: defaults)
    return CollectorExporter(to: destination, report: { [events] in events.list.append($0.description) })
  }

  private func pass(
    _ exporter: CollectorExporter, _ records: [FlowRecord], after milliseconds: Int64 = 0, flush: Bool = true
  ) {
    let instant = Sample.instant(after: milliseconds)
    exporter.begin(at: instant)
    var rest = records[...]
    while !rest.isEmpty {
      withBuffer(Array(rest.prefix(256))) { exporter.consume($0, at: instant) }
      rest = rest.dropFirst(256)
    }
    if flush { exporter.flush(at: instant) }
  }

  @Test("a file has what the statistics say was sent, its templates once and first, and ends with the export")
  func one() throws {
    let exporter = try exporter("f.ipfix")
    for round in 0..<4 { pass(exporter, Sample.everyLikelyShape, after: Int64(round) * 1000) }
    #expect(exporter.statistics.isConnected)
    #expect(directory.names == [".f.ipfix.ipfix-part"])
    exporter.finish(within: 0)
    #expect(directory.names == ["f.ipfix"])
    let messages = directory.messages("f.ipfix")
    let collector = WireCollector(messages)
    #expect(collector.problems == [])
    #expect(collector.flows == 4 * 108)
    #expect(collector.templates.count == 108 + 7)
    #expect(messages.flatMap { WireMessage($0).templateIDs }.count == 108 + 7)
    let statistics = exporter.statistics
    #expect(statistics.sent.flows == 4 * 108)
    #expect(statistics.messages == messages.count)
    #expect(statistics.octets == messages.reduce(0) { $0 + $1.count })
    #expect(statistics.lost == FlowTotals())
    #expect(statistics.files?.complete == 1)
    #expect(!statistics.isConnected)
    #expect(events.list == [])
  }

  @Test("each file decodes by itself, and the sequence goes on from one to the next")
  func rotation() throws {
    let exporter = try exporter("%s.ipfix?rotate=10")
    // From 22:13:23.5 on, two passes in a file; the file in between is without records.
    for second in [0, 4, 7, 9, 20, 25, 30] {
      pass(exporter, second == 20 || second == 25 ? [] : [Sample.tcp, Sample.udp6], after: Int64(second) * 1000)
    }
    exporter.finish(within: 0)
    #expect(directory.names == ["1700000003.ipfix", "1700000010.ipfix", "1700000030.ipfix"])
    var next: Int?
    for name in directory.names {
      let messages = directory.messages(name)
      let collector = WireCollector(messages)
      #expect(collector.problems == [])
      #expect(collector.flows == (name == "1700000030.ipfix" ? 2 : 4))
      let first = WireMessage(messages[0])
      #expect(first.isTemplates)
      if let next { #expect(first.sequence == next) }
      next = first.sequence + collector.flows + collector.options
    }
    #expect(exporter.statistics.sent.flows == 10)
    #expect(exporter.statistics.files?.complete == 3)
  }

  @Test("what waits from a pass that was not flushed goes to the file before, not ahead of the next one's templates")
  func notFlushed() throws {
    let exporter = try exporter("%s.ipfix?rotate=10")
    // The first file has nothing but options yet.
    for (second, flush) in [(0, true), (4, false), (9, true)] {
      let records = second == 0 ? [] : Array(repeating: Sample.tcp, count: 200)
      pass(exporter, records, after: Int64(second) * 1000, flush: flush)
    }
    exporter.finish(within: 0)
    #expect(directory.names == ["1700000003.ipfix", "1700000010.ipfix"])
    var (next, flows) = (0, 0)
    for name in directory.names {
      let messages = directory.messages(name)
      let collector = WireCollector(messages)
      #expect(collector.problems == [])
      #expect(collector.flows > 0)
      #expect(WireMessage(messages[0]).isTemplates)
      #expect(WireMessage(messages[0]).sequence == next)
      next += collector.flows + collector.options
      flows += collector.flows
    }
    #expect(flows == 400)
    #expect(exporter.statistics.sent.flows == 400)
  }

  @Test("what waits when the disk has refused a file is lost, and the next file begins with the templates")
  func notFlushedAndRefused() throws {
    let exporter = try exporter("f.ipfix?fsync=1")
    pass(exporter, [Sample.tcp])
    #expect(directory.breakSync(of: ".f.ipfix.ipfix-part"))
    usleep(1_100_000)
    pass(exporter, Array(repeating: Sample.tcp, count: 200), flush: false)
    pass(exporter, [Sample.udp6])
    exporter.finish(within: 0)
    #expect(directory.names == ["f.ipfix", "f_1.ipfix"])
    let messages = directory.messages("f_1.ipfix")
    let collector = WireCollector(messages)
    #expect(collector.problems == [])
    #expect(WireMessage(messages[0]).isTemplates)
    #expect(exporter.statistics.lost.flows > 0)
    #expect(exporter.statistics.sent.flows == 1 + UInt64(collector.flows))
    #expect(exporter.statistics.sent.flows + exporter.statistics.lost.flows == 202)
  }

  @Test("each pass goes on with a long file that was left unfinished")
  func longLeftOver() throws {
    directory.writeMessages(600, to: ".a.ipfix-part")
    let exporter = try exporter("f.ipfix")
    pass(exporter, [Sample.tcp])
    #expect(events.list == [])
    pass(exporter, [])
    #expect(events.list == ["completed '\(directory.path)/a', which was left unfinished: 601 messages"])
    #expect(exporter.statistics.files?.complete == 1)
    exporter.finish(within: 0)
    #expect(directory.names == ["a", "f.ipfix"])
  }

  @Test("within one pass too a file ends with the batch that brings it to its size, and the next one has the templates")
  func size() throws {
    let exporter = try exporter("f.ipfix?size=200k")
    pass(exporter, Array(repeating: Sample.tcp, count: 20_000) + Array(repeating: Sample.udp6, count: 20_000))
    exporter.finish(within: 0)
    #expect(directory.names.count > 10)
    var flows = 0
    for name in directory.names {
      let messages = directory.messages(name)
      let collector = WireCollector(messages)
      #expect(collector.problems == [])
      flows += collector.flows
      let octets = messages.reduce(0) { $0 + $1.count }
      #expect(octets < 204_800 + 120 * 1420)
      if name != "f_\(directory.names.count - 1).ipfix" { #expect(octets >= 204_800) }
    }
    #expect(flows == 40_000)
    #expect(exporter.statistics.sent.flows == 40_000)
  }

  @Test("what cannot be written is lost and told of, tried again, and the file then is whole")
  func noDirectory() throws {
    let exporter = try exporter("not/f.ipfix")
    pass(exporter, [Sample.tcp])
    #expect(exporter.statistics.lost.flows == 1)
    #expect(exporter.statistics.failedAttempts == 1)
    // Without a pause nothing is tried.
    pass(exporter, [Sample.tcp])
    #expect(exporter.statistics.failedAttempts == 1)
    #expect(
      events.list == [
        "cannot write to file://\(directory.path)/not/f.ipfix: no such file or directory; flowprobe's user must be able"
          + " to write to the directory, and there must be room"
      ])
    unsafe mkdir("\(directory.path)/not", 0o700)
    usleep(1_100_000)
    pass(exporter, [Sample.tcp])
    exporter.finish(within: 0)
    #expect(exporter.statistics.lost.flows == 2)
    #expect(exporter.statistics.sent.flows == 1)
    let collector = WireCollector(directory.messages("not/f.ipfix"))
    #expect(collector.problems == [])
    #expect(collector.flows == 1)
    directory.remove("not/f.ipfix")
    unsafe rmdir("\(directory.path)/not")
  }

  @Test("what could not be written by the end is told with its reason, though no pass comes any more")
  func toldAtTheEnd() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 5000, rlim_max: 5000)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let test = FileExportTests()
      let exporter = try test.exporter("f.ipfix")
      test.pass(exporter, Array(repeating: Sample.tcp, count: 1000))
      precondition(test.events.list == [], "\(test.events.list)")
      exporter.finish(within: 0)
      precondition(test.events.list.count == 1, "\(test.events.list)")
      precondition(test.events.list[0].contains("/f.ipfix: file too large"), test.events.list[0])
      let collector = WireCollector(test.directory.messages("f.ipfix"))
      precondition(collector.problems == [] && collector.flows > 0)
      precondition(exporter.statistics.sent.flows == collector.flows)
      precondition(exporter.statistics.lost.flows == 1000 - UInt64(collector.flows))
    }
  }

  @Test("of a group that keeps to who is there, files get what a disk takes, and another member what it does not")
  func failover() throws {
    let members = try ["not/f.ipfix", "f.ipfix"].map { try ExportDestination("file://\(directory.path)/\($0)") }
    let exporter = EntryExporter(.group(DestinationGroup(.failover, members))) { CollectorExporter(to: $0) }
    func pass() {
      exporter.consumer.begin(at: Sample.instant)
      withBuffer([Sample.tcp]) { exporter.consumer.consume($0, at: Sample.instant) }
      exporter.consumer.flush(at: Sample.instant)
    }
    pass()
    #expect(exporter.exporters.map(\.statistics.sent.flows) == [0, 1])
    unsafe mkdir("\(directory.path)/not", 0o700)
    usleep(1_100_000)
    pass()
    #expect(exporter.exporters.map(\.statistics.sent.flows) == [1, 1])
    #expect(exporter.exporters.map(\.statistics.lost.flows) == [0, 0])
    for member in exporter.exporters { member.finish(within: 0) }
    #expect(WireCollector(directory.messages("f.ipfix")).flows == 1)
    #expect(WireCollector(directory.messages("not/f.ipfix")).flows == 1)
    directory.remove("not/f.ipfix")
    unsafe rmdir("\(directory.path)/not")
  }

  @Test("a removed file is told of, and the next one begins at once")
  func removed() throws {
    let exporter = try exporter("f.ipfix")
    pass(exporter, [Sample.tcp, Sample.tcp, Sample.udp6])
    directory.remove(".f.ipfix.ipfix-part")
    pass(exporter, [Sample.tcp])
    exporter.finish(within: 0)
    let collector = WireCollector(directory.messages("f.ipfix"))
    #expect(collector.problems == [])
    #expect(collector.flows == 1)
    #expect(events.list.count == 1)
    #expect(
      events.list[0].hasPrefix("'\(directory.path)/f.ipfix' was removed while it was written: 3 flows are lost with it")
    )
  }
}
