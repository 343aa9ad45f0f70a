// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// A part of a spool: an IPFIX file (RFC 5655), which begins with the templates of all that is in it, and with the
/// descriptions: of a later run's connection it may be the first.
final class SpoolSegment {
  /// `RUN-NUMBER.ipfix`: the names' order is the segments'.
  let name: String
  let run: String
  /// Octets of the file.
  var octets = 0
  /// Those of them that it begins with, where this run wrote it.
  var beginning = 0
  /// Whether its messages are in memory too.
  var isLoaded: Bool
  /// Messages in memory that were not acknowledged; of one that is not loaded it is not known.
  var waiting = 0
  /// What is in it, and in how many messages.
  private(set) var records = RecordTotals()
  private(set) var messages: UInt64 = 0

  init(name: String, run: String, isLoaded: Bool) { (self.name, self.run, self.isLoaded) = (name, run, isLoaded) }

  /// Takes note of a message in it.
  func note(_ contents: MessageBatch.Contents) {
    guard contents.role != .templates else { return }
    records.add(contents.totals)
    messages += 1
  }

  // MARK: Names

  static let suffix = ".ipfix"
  /// Runs are numbered by the milliseconds since 1970: up to the year 10889. Others are nobody's: behind the last of all
  /// numbers there is none for the next run.
  private static let runs: Range<UInt64> = 0..<1 << 48

  static func name(run: String, number: Int) -> String { run + "-" + padded(String(number), 9) + suffix }

  /// A name whose order is ahead of another segment's of the run, or of all numbers where there is none: as many zeros as
  /// that has digits stand before its number.
  static func name(run: String, number: Int, ahead first: SpoolSegment?) -> String {
    let digits = first.map { $0.name.utf8.count - run.utf8.count - 1 - suffix.utf8.count } ?? 9
    return run + "-" + padded(String(number), digits + 9) + suffix
  }

  /// The run that a name tells; nil where it is none of a segment's.
  static func run(ofName name: String) -> UInt64? {
    let (octets, end) = (Array(name.utf8), Array(suffix.utf8))
    guard octets.count > 17 + end.count, octets.suffix(end.count) == end[...], octets[16] == UInt8(ascii: "-"),
      octets[17...].dropLast(end.count).allSatisfy({ digits.contains($0) }),
      octets[..<16].allSatisfy({ digits.contains($0) || letters.contains($0) })
    else { return nil }
    return UInt64(name.prefix(16), radix: 16).flatMap { runs.contains($0) ? $0 : nil }
  }

  private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
  private static let letters = UInt8(ascii: "a")...UInt8(ascii: "f")

  /// What a run's names begin with that comes behind others.
  static func run(after others: Set<UInt64>, at now: Timestamp) -> String {
    let clock = UInt64(clamping: now.milliseconds)
    var run = max(clock, others.max().map { $0 + 1 } ?? 0)
    if !runs.contains(run) {
      // Then it is one that nobody has.
      run = clock
      while others.contains(run) { run += 1 }
    }
    return padded(String(run, radix: 16), 16)
  }

  private static func padded(_ digits: String, _ length: Int) -> String {
    String(repeating: "0", count: max(0, length - digits.utf8.count)) + digits
  }
}
