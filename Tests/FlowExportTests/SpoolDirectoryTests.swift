// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

/// A message of the Template 256, octetDeltaCount alone, and one of a record of it: RFC 7011 sections 3.1 to 3.4, written by
/// hand.
private let template = octets("000a 001c 6553f100 00000000 00000007 0002000c 0100 0001 0001 0008")
private let record = octets("000a 001c 6553f100 00000000 00000007 0100000c 0000000000000001")
private var message: QueuedMessage { QueuedMessage(octets: record, contents: MessageBatch.Contents(role: .data)) }

@Suite("What else may be in a spool's directory")
struct SpoolDirectoryTests {
  private let directory = TemporaryDirectory()

  private func open(_ sync: FileSync = .never) throws -> Spool {
    try Spool(directory.path, capacity: 1 << 20, segmentSize: 1 << 16, sync)
  }

  private func make(_ name: String, octets: Int) {
    directory.write([], to: name)
    unsafe truncate("\(directory.path)/\(name)", octets)
  }

  @Test(
    "whatever run a file's name tells, the spool can be opened again and again, and finds all that it wrote itself",
    arguments: [
      "ffffffffffffffff-1", "fffffffffffffffe-1", "0000ffffffffffff-1", "0001000000000000-1", "7fffffffffffffff-1",
    ])
  func lastRuns(name: String) async {
    await #expect(processExitsWith: .success) { [name] in
      let test = SpoolDirectoryTests()
      test.directory.write(template + record, to: name + ".ipfix")
      var written: Set<String> = []
      for _ in 0..<3 {
        let spool = try test.open()
        let found = Set(spool.findEarlier().map(\.name))
        precondition(found.isSuperset(of: written), "\(found) \(written)")
        written.insert(try spool.append(message, isLoaded: false) { [] }.segment.name)
      }
      precondition(written.count == 3)
    }
  }

  @Test("the run behind those that are there is later than each of them, whatever the clock says")
  func laterRun() throws {
    directory.write(template + record, to: "0000fffffffffff0-000000001.ipfix")
    #expect(try open().append(message, isLoaded: false) { [] }.segment.name == "0000fffffffffff1-000000001.ipfix")
  }

  @Test("what is no file that a spool has written is neither read nor counted, stays, and is told of once")
  func foreign() async {
    await #expect(processExitsWith: .success) {
      alarm(20)
      let test = SpoolDirectoryTests()
      let (directory, path) = (test.directory, test.directory.path)
      directory.write(template + record, to: "00000000000000aa-000000001.ipfix")
      let others = [
        "x.ipfix", "00000000000000aa-.ipfix", "00000000000000AA-1.ipfix", "0000000000000aa-1.ipfix",
        "00000000000000aa-1x.ipfix", "+0000000000000aa-1.ipfix",
      ]
      for name in others { directory.write(template + record, to: name) }
      test.make("00000000000000bb-000000001.ipfix", octets: 1 << 40)
      test.make("00000000000000bb-000000002.ipfix", octets: 1 << 42)
      unsafe mkfifo("\(path)/00000000000000bb-000000003.ipfix", 0o600)
      unsafe mkdir("\(path)/00000000000000bb-000000004.ipfix", 0o700)
      unsafe symlink("/dev/zero", "\(path)/00000000000000bb-000000005.ipfix")
      unsafe symlink("\(path)/x.ipfix", "\(path)/00000000000000bb-000000006.ipfix")
      let names = directory.names
      let spool = try test.open()
      let found = spool.findEarlier().map(\.name)
      precondition(found == ["00000000000000aa-000000001.ipfix"], "\(found)")
      precondition(spool.octets == 56)
      precondition(spool.foreign?.hasPrefix("12 files in its spool with '.ipfix'") == true, spool.foreign ?? "nothing")
      precondition(directory.names == names)
      unsafe rmdir("\(path)/00000000000000bb-000000004.ipfix")
    }
  }

  @Test("what takes a file's place before it is read does not hold up who reads it, nor take its memory")
  func replaced() async {
    await #expect(processExitsWith: .success) {
      alarm(20)
      let test = SpoolDirectoryTests()
      let name = "00000000000000aa-000000001.ipfix"
      test.directory.write(template + record, to: name)
      let spool = try test.open()
      let segment = spool.findEarlier()[0]
      func isRefused() -> Bool { (try? spool.read(segment)) == nil }
      precondition(!isRefused())
      test.make(name, octets: 1 << 40)
      precondition(isRefused())
      test.directory.remove(name)
      unsafe mkfifo("\(test.directory.path)/\(name)", 0o600)
      precondition(isRefused())
    }
  }

  @Test("without descriptors to look for what is there it is not opened, and that is nobody's fault but the process's")
  func noDescriptors() async {
    await #expect(processExitsWith: .success) {
      let test = SpoolDirectoryTests()
      let name = "00000000000000aa-000000001.ipfix"
      test.directory.write(template + record, to: name)
      // The runtime's own descriptors, for timers and the main queue, are made when they are first needed, and it ends
      // the process where they cannot be.
      try? await Task.sleep(for: .milliseconds(10))
      await MainActor.run {}
      var limit = rlimit()
      unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      var few = rlimit(rlim_cur: 64, rlim_max: limit.rlim_max)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &few)
      /// All descriptors are taken but one: the directory itself can be opened, and nothing more.
      func takeAllButOne() {
        var last: Int32 = -1
        while case let next = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC), next >= 0 { last = next }
        if last >= 0 { close(last) }
      }
      // The process has threads of others, which may close something just then.
      var refusal: SpoolError?
      for _ in 0..<20 where refusal == nil {
        takeAllButOne()
        do throws(SpoolError) {
          _ = try Spool(test.directory.path, capacity: 1 << 20, segmentSize: 1 << 16, .never)
        } catch {
          refusal = error
        }
      }
      precondition(refusal?.isOurs == true, "\(String(describing: refusal))")
      var handing: SystemError?
      for _ in 0..<20 where handing == nil {
        takeAllButOne()
        do throws(SystemError) {
          try Spool.hand(test.directory.path, user: getuid(), group: getgid())
        } catch {
          handing = error
        }
      }
      precondition(handing?.code == EMFILE, "\(String(describing: handing))")
      // Nothing of the attempts is held: the one is there still.
      var isFree = false
      for _ in 0..<100 where !isFree {
        isFree = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0
        if !isFree { usleep(10_000) }
      }
      precondition(isFree)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      let found = try test.open().findEarlier().map(\.name)
      precondition(found == [name])
    }
  }

  @Test("what cannot take a file's place leaves nothing, and is not counted", arguments: [FileSync.never, .atEnd])
  func notReplaced(sync: FileSync) throws {
    let spool = try open(sync)
    let segment = try spool.append(message, isLoaded: true) { [] }.segment
    spool.endSegment()
    directory.remove(segment.name)
    unsafe mkdir("\(directory.path)/\(segment.name)", 0o700)
    #expect(throws: SpoolError.self) { try spool.replace(segment, by: [message, message]) }
    #expect(directory.names == [segment.name])
    #expect((spool.octets, segment.octets) == (28, 28))
    unsafe rmdir("\(directory.path)/\(segment.name)")
    try spool.replace(segment, by: [message, message])
    #expect(directory.read(segment.name) == record + record)
    #expect((spool.octets, segment.octets) == (56, 56))
  }

  /// What ``Spool/keepUp()`` tells; empty where all is well.
  private func told(_ spool: Spool) -> String {
    do throws(SpoolError) { try spool.keepUp() } catch { return error.description }
    return ""
  }

  @Test(
    "a file that cannot be removed or put aside stays counted, is told of, and goes once it can",
    arguments: [false, true])
  func stuck(isDamaged: Bool) throws {
    let spool = try open()
    let segment = try spool.append(message, isLoaded: true) { [] }.segment
    spool.endSegment()
    // Nobody can remove a directory as if it were a file, or rename a file to it.
    let place = isDamaged ? segment.name + ".damaged" : segment.name
    if !isDamaged { directory.remove(place) }
    unsafe mkdir("\(directory.path)/\(place)", 0o700)
    if isDamaged { spool.putAside(segment) } else { spool.remove(segment) }
    #expect(spool.octets == 28)
    #expect(
      told(spool) == "cannot remove from spool '\(directory.path)' what was sent: is a directory; let it be written to,"
        + " or the next start sends that again")
    #expect(told(spool) == "")
    unsafe rmdir("\(directory.path)/\(place)")
    if !isDamaged { directory.write(record, to: segment.name) }
    usleep(1_100_000)
    #expect(told(spool) == "")
    #expect(directory.names == (isDamaged ? [place] : []))
    #expect(spool.octets == 0)
  }

  @Test("a file that is gone already is removed")
  func gone() throws {
    let spool = try open()
    let segment = try spool.append(message, isLoaded: true) { [] }.segment
    directory.remove(segment.name)
    spool.remove(segment)
    #expect(spool.octets == 0)
    #expect(told(spool) == "")
  }

  @Test("what was to take a file's place when the machine stopped goes at the next start, and nobody else's does")
  func temporary() throws {
    for name in [".00000000000000aa-000000001.ipfix", ".x.ipfix", "00000000000000aa-000000001.ipfix"] {
      directory.write(record, to: name)
    }
    #expect(try open().findEarlier().map(\.name) == ["00000000000000aa-000000001.ipfix"])
    #expect(directory.names == [".x.ipfix", "00000000000000aa-000000001.ipfix"])
  }
}
