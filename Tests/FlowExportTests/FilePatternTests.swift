// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc
import Testing

@testable import FlowExport

/// Of what follows `setenv` nothing else in the process shall know: in exit tests.
private func useTimeZone(_ name: String) {
  unsafe setenv("TZ", name, 1)
  tzset()
}

private func seconds(_ number: Int64) -> Timestamp { Timestamp(milliseconds: number * 1000) }

@Suite("Names and times of files")
struct FilePatternTests {
  @Test("a path is a directory and a name, with times or without")
  func parts() throws {
    let hourly = try FilePattern("/var/lib/flowprobe/flows-%Y%m%d-%H.ipfix")
    #expect(hourly.directory == "/var/lib/flowprobe")
    #expect(hourly.hasTime)
    #expect(hourly.description == "/var/lib/flowprobe/flows-%Y%m%d-%H.ipfix")
    let plain = try FilePattern("/100%%.ipfix")
    #expect(plain.directory == "/")
    #expect(!plain.hasTime)
    #expect(plain.description == "/100%%.ipfix")
    #expect(plain.text(at: seconds(0)) == "100%.ipfix")
  }

  @Test(
    "what is no path of files is refused, with the reason",
    arguments: [
      ("flows.ipfix", "'flows.ipfix' is no absolute path"),
      ("", "'' is no absolute path"),
      ("/var/lib/", "'/var/lib/' names a directory and no file"),
      ("/var/lib/..", "'/var/lib/..' names a directory and no file"),
      ("/var/%Y/flows.ipfix", "a directory's name cannot have a time or a '%'"),
      ("/var/flows-%D.ipfix", "'%D' in 'flows-%D.ipfix' is no time"),
      ("/var/flows-%", "'%' in 'flows-%' is no time"),
      ("/var/\(String(repeating: "x", count: 224))", "its name is too long"),
    ])
  func refused(path: String, reason: String) {
    #expect(throws: FilePattern.Refusal.self) { try FilePattern(path) }
    do throws(FilePattern.Refusal) {
      _ = try FilePattern(path)
    } catch {
      #expect(error.reason == reason)
    }
  }

  @Test("a number goes ahead of the ending, so that names sort behind the one without")
  func numbered() {
    #expect(FilePattern.numbered("flows.ipfix", 0) == "flows.ipfix")
    #expect(FilePattern.numbered("flows.ipfix", 1) == "flows_1.ipfix")
    #expect(FilePattern.numbered("flows", 12) == "flows_12")
    #expect(FilePattern.numbered(".flows", 2) == ".flows_2")
  }

  @Test("times in names are local, as strftime has them")
  func localNames() async {
    await #expect(processExitsWith: .success) {
      useTimeZone("Europe/Berlin")
      let pattern = try FilePattern("/tmp/f-%Y%m%d-%H%M%S-%j-%y-%F-%z.ipfix")
      // date -d @1795314957, and half a second.
      let name = pattern.text(at: Timestamp(milliseconds: 1_795_314_957_500))
      precondition(name == "f-20261122-033557-326-26-2026-11-22-+0100.ipfix", name)
    }
  }

  @Test("files end where the local clock shows a multiple, and a day has 23 or 25 hours when clocks are changed")
  func periods() async {
    await #expect(processExitsWith: .success) {
      useTimeZone("Europe/Berlin")
      func end(_ begin: Int64, _ every: Int) -> Int64? {
        FilePeriod(from: seconds(begin), every: every).end.map { $0.milliseconds / 1000 }
      }
      func begin(_ moment: Int64, _ every: Int) -> Int64 {
        FilePeriod(around: seconds(moment), every: every).begin.milliseconds / 1000
      }
      // 2026-03-28 12:00, 2026-03-29 00:00, 2026-03-30 00:00; 2026-10-25 00:00, 2026-10-26 00:00: date +%s -d.
      precondition(end(1_774_695_600, 86_400) == 1_774_738_800)
      precondition(end(1_774_738_800, 86_400) == 1_774_821_600)
      precondition(end(1_792_879_200, 86_400) == 1_792_969_200)
      precondition(begin(1_774_778_400, 86_400) == 1_774_738_800)
      precondition(begin(1_792_884_600, 86_400) == 1_792_879_200)
      // 02:30, the first of two.
      precondition(end(1_792_888_200, 3600) == 1_792_890_000)
      precondition(end(1_792_888_201, 300) == 1_792_888_500)
      precondition(begin(1_792_888_499, 300) == 1_792_888_200)
      precondition(end(1_792_888_200, 0) == nil)
      precondition(begin(1_792_888_499, 0) == 1_792_888_499)
    }
  }

  @Test("a moment ahead of the begin is not in a period: the clock was set back")
  func contains() {
    let period = FilePeriod(from: seconds(600), every: 300)
    #expect(period.contains(seconds(600)))
    #expect(period.contains(Timestamp(milliseconds: 899_999)))
    #expect(!period.contains(seconds(900)))
    #expect(!period.contains(Timestamp(milliseconds: 599_999)))
  }

  @Test(
    "sizes are octets or have units of 1024",
    arguments: [
      ("0", 0), ("100", 100), ("1k", 1024), ("100M", 104_857_600), ("2G", 2_147_483_648), ("2g", 2_147_483_648),
      ("", nil), ("M", nil), ("-1", nil), ("1T", nil), ("1.5M", nil), ("9999999999999G", nil),
    ] as [(String, Int?)])
  func sizes(text: String, octets: Int?) { #expect(OctetCount.parse(text) == octets) }

  @Test("when the disk has a file is never, at its end, or so many seconds after a message")
  func sync() {
    #expect(FileSync(word: "never") == .never)
    #expect(FileSync(word: "file") == .atEnd)
    #expect(FileSync(word: "5") == .every(5))
    for word in ["", "0", "always", "-1", "86401"] { #expect(FileSync(word: word) == nil) }
  }

  @Test("names with times begin anew every hour, others never, unless it is said")
  func rotation() throws {
    let (plain, timed) = (try FilePattern("/tmp/f.ipfix"), try FilePattern("/tmp/f-%H.ipfix"))
    var rules = FileRules()
    #expect(rules.rotation(of: plain) == 0)
    #expect(rules.rotation(of: timed) == 3600)
    rules.rotation = 0
    #expect(rules.rotation(of: timed) == 0)
    rules.rotation = 60
    #expect(rules.rotation(of: plain) == 60)
  }
}
