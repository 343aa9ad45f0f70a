// SPDX-License-Identifier: Apache-2.0

import CShims
import FlowMeter
import Glibc
import Testing

@testable import FlowExport

/// A message of an Options Template, one of a Data Set of it, RFC 7011 sections 3.1 to 3.4: written by hand.
private let template = octets("000a 001e 6553f100 00000000 00000007 0003000e 0100 0001 0001 0095 0004")
private let data = octets("000a 0018 6553f100 00000000 00000007 01000008 00000007")

/// The same of a Template, octetDeltaCount alone, and of a Flow Record.
private let flowTemplate = octets("000a 001c 6553f100 00000000 00000007 0002000c 0100 0001 0001 0008")
private let flow = octets("000a 001c 6553f100 00000000 00000007 0100000c 0000000000000001")

/// Has the kernel refuse system calls to this process from now on, as a file system does that knows none of them.
private func refuse(_ calls: [Int32]) {
  // struct seccomp_data begins with the call's number; <linux/bpf_common.h>, <linux/seccomp.h>.
  var code = [sock_filter(code: 0x20, jt: 0, jf: 0, k: 0)]
  for call in calls {
    code.append(sock_filter(code: 0x15, jt: 0, jf: 1, k: UInt32(call)))
    code.append(sock_filter(code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | UInt32(call == SYS_linkat ? EPERM : EINVAL)))
  }
  code.append(sock_filter(code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000))
  precondition(cshims_process_control(38, 1) == 0)  // PR_SET_NO_NEW_PRIVS
  let result = unsafe code.withUnsafeMutableBufferPointer { buffer in
    var program = unsafe sock_fprog(len: UInt16(buffer.count), filter: buffer.baseAddress)
    return unsafe cshims_seccomp(1, 1, &program)  // SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
  }
  precondition(result == 0)
}

@Suite("Files one after the other")
struct FileSeriesTests {
  private let directory = TemporaryDirectory()

  private func series(
    _ name: String, keepsOptions: Bool = false, _ change: (inout FileRules) -> Void = { _ in }
  ) throws -> FileSeries {
    var rules = FileRules()
    change(&rules)
    return FileSeries(try FilePattern("\(directory.path)/\(name)"), rules, keepsOptions: keepsOptions)
  }

  private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

  @Test("a file is hidden while it is written, and has its name, octets and permissions when it is complete")
  func complete() throws {
    let mask = umask(0o022)
    defer { umask(mask) }
    let series = try series("f.ipfix")
    let session = try series.open(at: at(100))
    #expect(session.send(batch(lengths: [10, 20, 30]), 1..<3).sent == 2)
    #expect(directory.names == [".f.ipfix.ipfix-part"])
    #expect(series.totals.current == "\(directory.path)/f.ipfix")
    series.close()
    #expect(directory.names == ["f.ipfix"])
    #expect(directory.read("f.ipfix") == datagram(1, 20) + datagram(2, 30))
    #expect(directory.permissions("f.ipfix") == 0o640)
    #expect(series.totals.complete == 1)
    #expect(series.totals.current == nil)
    #expect(series.takeEvents() == [])
  }

  @Test("a file that has no records leaves nothing behind, but where it is to have options alone")
  func empty() throws {
    for keepsOptions in [false, true] {
      let series = try series("f.ipfix", keepsOptions: keepsOptions)
      var message = MessageBuffer(capacity: 100)
      message.append(template)
      var batch = MessageBatch()
      batch.append(message, FlowTotals())
      _ = try series.open(at: at(100)).send(batch, 0..<1)
      series.close()
      #expect(directory.names == (keepsOptions ? ["f.ipfix"] : []))
      #expect(series.totals.complete == (keepsOptions ? 1 : 0))
    }
  }

  @Test("the first file is named by its begin, one behind a whole period by that, one behind a full one by its begin")
  func names() throws {
    let series = try series("%s") { ($0.rotation, $0.size) = (300, 1000) }
    // In each time zone a multiple of five minutes is one of UTC.
    _ = try series.open(at: at(1_700_000_123)).send(batch(lengths: [100]), 0..<1)
    #expect(!series.isOver(at: at(1_700_000_123)))
    #expect(!series.isOver(at: at(1_700_000_399)))
    #expect(series.isOver(at: at(1_700_000_400)))
    series.close(at: at(1_700_000_402))
    _ = try series.open(at: at(1_700_000_402)).send(batch(lengths: [400, 400, 400]), 0..<3)
    #expect(series.isOver(at: at(1_700_000_410)))
    series.close(at: at(1_700_000_410))
    _ = try series.open(at: at(1_700_000_410)).send(batch(lengths: [100]), 0..<1)
    series.close()
    #expect(directory.names == ["1700000123", "1700000400", "1700000410"])
  }

  @Test("a name that is taken gets a number, whether it was taken before or meanwhile, and what has it stays as it is")
  func taken() throws {
    directory.write([1], to: "f.ipfix")
    let series = try series("f.ipfix")
    _ = try series.open(at: at(100)).send(batch(lengths: [10]), 0..<1)
    directory.write([2], to: "f_1.ipfix")
    series.close()
    _ = try series.open(at: at(100)).send(batch(lengths: [20]), 0..<1)
    series.close()
    #expect(directory.names == ["f.ipfix", "f_1.ipfix", "f_1_1.ipfix", "f_2.ipfix"])
    #expect(directory.read("f.ipfix") == [1])
    #expect(directory.read("f_1.ipfix") == [2])
    #expect(directory.read("f_1_1.ipfix") == datagram(0, 10))
    #expect(directory.read("f_2.ipfix") == datagram(0, 20))
  }

  @Test("two that write the same name at once write two files")
  func twoWriters() throws {
    let (first, second) = (try series("f.ipfix"), try series("f.ipfix"))
    _ = try first.open(at: at(100)).send(batch(lengths: [10]), 0..<1)
    _ = try second.open(at: at(100)).send(batch(lengths: [20]), 0..<1)
    second.close()
    first.close()
    #expect(directory.read("f.ipfix") == datagram(0, 10))
    #expect(directory.read("f_1.ipfix") == datagram(0, 20))
    #expect(second.totals.complete == 1)
  }

  @Test("what was left unfinished is completed up to its last whole message at the next start, and told of")
  func leftOver() throws {
    directory.write(template + data + data.dropLast(), to: ".torn.ipfix-part")
    directory.write(template + data + [UInt8](repeating: 0, count: 4096), to: ".zeros.ipfix-part")
    directory.write(template, to: ".template.ipfix-part")
    directory.write([], to: ".nothing.ipfix-part")
    directory.write(data, to: ".taken.ipfix-part")
    directory.write([1], to: "taken")
    directory.write([1, 2], to: ".other.part")
    let series = try series("f.ipfix")
    _ = try series.open(at: at(100))
    #expect(
      directory.names == [".f.ipfix.ipfix-part", ".other.part", "taken", "taken_1", "torn", "zeros"])
    #expect(directory.read("torn") == template + data)
    #expect(directory.read("zeros") == template + data)
    #expect(directory.read("taken") == [1])
    #expect(directory.read("taken_1") == data)
    #expect(
      series.takeEvents() == [
        .recovered("\(directory.path)/taken_1", messages: 1, octetsCutOff: 0),
        .recovered("\(directory.path)/torn", messages: 2, octetsCutOff: 23),
        .recovered("\(directory.path)/zeros", messages: 2, octetsCutOff: 4096),
      ])
    #expect(series.totals.complete == 3)
  }

  @Test("what is left over and cannot be opened is told of, once, and stays")
  func foreign() async {
    await #expect(processExitsWith: .success) {
      let test = FileSeriesTests()
      test.directory.write(data, to: ".g.ipfix.ipfix-part")
      let path = test.directory.path
      unsafe chmod("\(path)/.g.ipfix.ipfix-part", 0)
      unsafe chmod(path, 0o777)
      // Nobody.
      precondition(geteuid() != 0 || seteuid(65_534) == 0)
      defer { seteuid(getuid()) }
      let series = try test.series("f.ipfix")
      _ = try series.open(at: test.at(100))
      precondition(
        series.takeEvents() == [.foreign("\(path)/.g.ipfix.ipfix-part", "permission denied")])
      series.close()
      _ = try series.open(at: test.at(100))
      precondition(series.takeEvents() == [])
      precondition(test.directory.names == [".f.ipfix.ipfix-part", ".g.ipfix.ipfix-part"], "\(test.directory.names)")
    }
  }

  @Test("a file that the disk refused is completed with what the disk has once the next one is begun")
  func refused() throws {
    let series = try series("f.ipfix")
    _ = try series.open(at: at(100)).send(batch(lengths: [10]), 0..<1)
    #expect(directory.breakSync(of: ".f.ipfix.ipfix-part"))
    series.close()
    #expect(series.takeEvents() == [.unfinished("\(directory.path)/f.ipfix", "invalid argument")])
    #expect((series.totals.complete, series.totals.unfinished) == (0, 1))
    #expect(directory.names == [".f.ipfix.ipfix-part"])
    directory.write(template + data, to: ".f.ipfix.ipfix-part")
    _ = try series.open(at: at(200))
    #expect(series.takeEvents() == [.recovered("\(directory.path)/f.ipfix", messages: 2, octetsCutOff: 0)])
    #expect((series.totals.complete, series.totals.unfinished) == (1, 0))
    #expect(directory.read("f.ipfix") == template + data)
  }

  @Test(
    "what a file had that the disk has no more is told of, in messages and flows", arguments: [0, 28, 56, 80, 84, 112])
  func lost(octetsLeft: Int) throws {
    let series = try series("f.ipfix")
    var batch = MessageBatch()
    for (octets, flows) in [(flowTemplate, 0), (flow, 1), (flow, 1), (flow, 1)] {
      var message = MessageBuffer(capacity: 100)
      message.append(octets)
      batch.append(message, FlowTotals(flows: UInt64(flows), packets: 0, octets: 0))
    }
    _ = try series.open(at: at(100)).send(batch, 0..<4)
    #expect(directory.breakSync(of: ".f.ipfix.ipfix-part"))
    series.close()
    _ = series.takeEvents()
    let left = Array((flowTemplate + flow + flow + flow).prefix(octetsLeft))
    directory.write(left, to: ".f.ipfix.ipfix-part")
    _ = try series.open(at: at(200))
    let path = "\(directory.path)/f.ipfix"
    let expected: [FileEvent] =
      switch octetsLeft {
      case 0: [.lost(path, messages: 4, flows: 3, natEvents: 0)]
      case 28: [.lost(path, messages: 3, flows: 3, natEvents: 0)]
      case 56:
        [.recovered(path, messages: 2, octetsCutOff: 0), .lost(path, messages: 2, flows: 2, natEvents: 0)]
      case 80:
        [.recovered(path, messages: 2, octetsCutOff: 24), .lost(path, messages: 2, flows: 2, natEvents: 0)]
      case 84: [.recovered(path, messages: 3, octetsCutOff: 0), .lost(path, messages: 1, flows: 1, natEvents: 0)]
      default: [.recovered(path, messages: 4, octetsCutOff: 0)]
      }
    #expect(series.takeEvents() == expected)
    #expect((series.totals.complete, series.totals.unfinished) == (octetsLeft < 56 ? 0 : 1, 0))
  }

  @Test("a long file that was left unfinished is read by and by, and nobody else takes it meanwhile")
  func longLeftOver() throws {
    // 32 MiB are 512 of its messages.
    directory.writeMessages(600, to: ".a.ipfix-part")
    directory.write(data, to: ".b.ipfix-part")
    let (series, other) = (try series("f.ipfix"), try series("g.ipfix"))
    _ = try series.open(at: at(100))
    #expect(series.takeEvents() == [.recovered("\(directory.path)/b", messages: 1, octetsCutOff: 0)])
    _ = try other.open(at: at(100))
    #expect(other.takeEvents() == [])
    #expect(directory.names == [".a.ipfix-part", ".f.ipfix.ipfix-part", ".g.ipfix.ipfix-part", "b"])
    series.finishLeftOver()
    #expect(series.takeEvents() == [.recovered("\(directory.path)/a", messages: 601, octetsCutOff: 0)])
    #expect((series.totals.complete, series.totals.unfinished) == (2, 0))
  }

  @Test("one that has not been read to its end when flowprobe ends stays hidden, is told of, and is the next start's")
  func longLeftOverAtTheEnd() throws {
    directory.writeMessages(1100, to: ".a.ipfix-part")
    let first = try series("f.ipfix")
    _ = try first.open(at: at(100))
    first.close()
    #expect(first.takeEvents() == [])
    first.conclude()
    #expect(first.takeEvents() == [.unfinished("\(directory.path)/a", "it has not been read to its end yet")])
    #expect((first.totals.complete, first.totals.unfinished) == (0, 1))
    #expect(directory.names == [".a.ipfix-part"])
    let second = try series("f.ipfix")
    _ = try second.open(at: at(200))
    for _ in 0..<2 { second.finishLeftOver() }
    #expect(second.takeEvents() == [.recovered("\(directory.path)/a", messages: 1101, octetsCutOff: 0)])
  }

  @Test("a long file that the disk refused is read by and by, too")
  func longRefused() throws {
    let series = try series("f.ipfix")
    _ = try series.open(at: at(100)).send(batch(lengths: [10]), 0..<1)
    #expect(directory.breakSync(of: ".f.ipfix.ipfix-part"))
    series.close()
    directory.writeMessages(600, to: ".f.ipfix.ipfix-part")
    _ = series.takeEvents()
    _ = try series.open(at: at(200)).send(batch(lengths: [10]), 0..<1)
    #expect(series.takeEvents() == [])
    #expect(series.totals.unfinished == 1)
    series.finishLeftOver()
    #expect(series.takeEvents() == [.recovered("\(directory.path)/f.ipfix", messages: 601, octetsCutOff: 0)])
    #expect((series.totals.complete, series.totals.unfinished) == (1, 0))
  }

  @Test(
    "a file has its name too where the system cannot rename without replacing, or knows no second names",
    arguments: [[Int32(SYS_renameat2)], [Int32(SYS_renameat2), Int32(SYS_linkat)]])
  func otherFileSystems(calls: [Int32]) async {
    await #expect(processExitsWith: .success) { [calls] in
      refuse(calls)
      let test = FileSeriesTests()
      let series = try test.series("f.ipfix")
      _ = try series.open(at: test.at(100)).send(batch(lengths: [10]), 0..<1)
      test.directory.write([2], to: "f.ipfix")
      series.close()
      precondition(series.takeEvents() == [])
      precondition(test.directory.names == ["f.ipfix", "f_1.ipfix"], "\(test.directory.names)")
      precondition(test.directory.read("f.ipfix") == [2])
      precondition(test.directory.read("f_1.ipfix") == datagram(0, 10))
      precondition(test.directory.permissions("f_1.ipfix") & 0o600 == 0o600)
    }
  }

  @Test("what another one is writing is not left over")
  func notLeftOver() throws {
    let writer = try series("f.ipfix")
    _ = try writer.open(at: at(100)).send(batch(lengths: [10]), 0..<1)
    let other = try series("g.ipfix")
    _ = try other.open(at: at(100))
    #expect(directory.names == [".f.ipfix.ipfix-part", ".g.ipfix.ipfix-part"])
    #expect(other.takeEvents() == [])
  }

  @Test("a removed file is over, and told of with what is lost")
  func removed() throws {
    let series = try series("f.ipfix")
    _ = try series.open(at: at(100)).send(batch(lengths: [10, 10]), 0..<2)
    #expect(!series.isOver(at: at(101)))
    directory.remove(".f.ipfix.ipfix-part")
    #expect(series.isOver(at: at(101)))
    series.close(at: at(101))
    #expect(series.takeEvents() == [.removed("\(directory.path)/f.ipfix", flows: 2, natEvents: 0)])
    #expect(series.totals.complete == 0)
  }

  @Test("a file that could not be completed is told of and counted no more once somebody has removed it")
  func unfinishedAndRemoved() async {
    await #expect(processExitsWith: .success) {
      let test = FileSeriesTests()
      let path = test.directory.path
      let series = try test.series("f.ipfix")
      _ = try series.open(at: test.at(100)).send(batch(lengths: [10, 10]), 0..<2)
      unsafe chmod(path, 0o555)
      // Nobody, who may not change it.
      let user = geteuid()
      precondition(user != 0 || seteuid(65_534) == 0)
      series.close()
      series.finishUnfinished()
      precondition(series.takeEvents() == [.unfinished("\(path)/f.ipfix", "permission denied")])
      precondition(series.totals.unfinished == 1)
      seteuid(user)
      unsafe chmod(path, 0o755)
      test.directory.remove(".f.ipfix.ipfix-part")
      series.finishUnfinished()
      precondition(series.takeEvents() == [.removed("\(path)/f.ipfix", flows: 2, natEvents: 0)])
      precondition((series.totals.complete, series.totals.unfinished) == (0, 0))
      series.finishUnfinished()
      precondition(series.takeEvents() == [])
    }
  }

  @Test("so is one that the disk refused, but where another one has completed it", arguments: [false, true])
  func refusedAndGone(isComplete: Bool) throws {
    let series = try series("f.ipfix")
    _ = try series.open(at: at(100)).send(batch(lengths: [10, 10]), 0..<2)
    #expect(directory.breakSync(of: ".f.ipfix.ipfix-part"))
    series.close()
    _ = series.takeEvents()
    directory.remove(".f.ipfix.ipfix-part")
    if isComplete { directory.write([1], to: "f.ipfix") }
    _ = try series.open(at: at(200)).send(batch(lengths: [10]), 0..<1)
    let removed: [FileEvent] = [.removed("\(directory.path)/f.ipfix", flows: 2, natEvents: 0)]
    #expect(series.takeEvents() == (isComplete ? [] : removed))
    #expect(series.totals.unfinished == 0)
    series.close()
    series.conclude()
    #expect(series.takeEvents() == [])
    #expect(directory.names == (isComplete ? ["f.ipfix", "f_1.ipfix"] : ["f.ipfix"]))
  }

  @Test("without its directory no file can be begun, and the reason is the system's")
  func noDirectory() throws {
    let series = FileSeries(try FilePattern("\(directory.path)/not/f.ipfix"), FileRules(), keepsOptions: false)
    #expect(throws: ExportError(.connect, reason: "no such file or directory")) { try series.open(at: at(100)) }
    #expect(series.current == nil)
  }

  @Test("what the disk takes whole is sent, a torn message is cut off, and the file is complete without it")
  func diskFull() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 5000, rlim_max: 5000)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let directory = TemporaryDirectory()
      let series = FileSeries(try FilePattern("\(directory.path)/f.ipfix"), FileRules(), keepsOptions: false)
      let session = try series.open(at: Timestamp(milliseconds: 0))
      let outcome = session.send(batch(lengths: [1400, 1400, 1400, 1400, 1400]), 0..<5)
      precondition(outcome.sent == 3)
      precondition(outcome.error == ExportError(.other, reason: "file too large"))
      precondition(directory.read(".f.ipfix.ipfix-part").count == 4200)
      series.close()
      precondition(directory.read("f.ipfix") == datagram(0, 1400) + datagram(1, 1400) + datagram(2, 1400))
      precondition(session.contents.flows == FlowTotals(flows: 3, packets: 6, octets: 9))
      precondition(series.takeEvents() == [])
    }
  }
}
