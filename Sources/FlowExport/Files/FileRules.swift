// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// When a destination's file ends and the next one begins, and when it is on the disk.
public struct FileRules: Hashable, Sendable {
  /// A file ends where the local wall clock shows a multiple of so many seconds since midnight of 1970-01-01. 0: it does
  /// not; nil, the default: every hour where the name has a time, else it does not.
  public var rotation: Int?
  /// What it can be.
  public static let rotations = 0...31_622_400

  /// A file ends with the messages that bring it to so many octets. Default 0: it does not.
  public var size = 0
  /// What it can be.
  public static let sizes = 0...1 << 50

  /// When what was written is on the disk. Default: when a file is complete.
  public var sync = FileSync.atEnd

  /// Files that end every hour where their names have a time.
  public init() {}

  /// Seconds between two files; 0: there is no end.
  public func rotation(of pattern: FilePattern) -> Int { rotation ?? (pattern.hasTime ? 3600 : 0) }
}

/// When what was written, to files of flows or to a spool, is made to be on the disk (fsync(2)).
public enum FileSync: Hashable, Sendable {
  /// When the system sees fit.
  case never
  /// When a file is complete, with its name.
  case atEnd
  /// Every so many seconds, and when a file is complete.
  case every(Int)

  /// What the seconds can be.
  public static let intervals = 1...86_400

  /// By what operators write: `never`, `file` or seconds. Nil where that is none.
  public init?(word: String) {
    switch word {
    case "never": self = .never
    case "file": self = .atEnd
    default:
      guard let seconds = Int(word), Self.intervals.contains(seconds) else { return nil }
      self = .every(seconds)
    }
  }

  /// What operators may write.
  public static let words = "never, file, or seconds from \(intervals.lowerBound) to \(intervals.upperBound)"
}

/// From when to when a file is written.
struct FilePeriod: Hashable {
  /// What the name tells.
  var begin: Timestamp
  /// The first moment that is the next file's; nil: there is none.
  var end: Timestamp?

  /// The period of a file that begins at a moment.
  ///
  /// - Parameter seconds: it ends at a multiple of so many; 0: it does not.
  init(from begin: Timestamp, every seconds: Int) {
    self.begin = begin
    guard seconds > 0 else { return }
    let (interval, offset) = (Int64(seconds) * 1000, LocalTime.offset(at: begin))
    var end = begin.advanced(byMilliseconds: interval - Self.remainder(begin.milliseconds + offset, interval))
    // Where the clocks were changed in between, midnight is an hour off; a multiple of an hour's parts is not.
    let change = LocalTime.offset(at: end) - offset
    if change % interval != 0, end.milliseconds - change > begin.milliseconds {
      end = end.advanced(byMilliseconds: -change)
    }
    self.end = end
  }

  /// The period that a moment is in: it begins at a multiple too.
  init(around moment: Timestamp, every seconds: Int) {
    guard seconds > 0 else {
      self.init(from: moment, every: 0)
      return
    }
    let (interval, offset) = (Int64(seconds) * 1000, LocalTime.offset(at: moment))
    var begin = moment.advanced(byMilliseconds: -Self.remainder(moment.milliseconds + offset, interval))
    let change = LocalTime.offset(at: begin) - offset
    if change % interval != 0, begin.milliseconds - change <= moment.milliseconds {
      begin = begin.advanced(byMilliseconds: -change)
    }
    self.init(from: begin, every: seconds)
  }

  /// Whether a moment is in it. A clock that was set back leaves it, too.
  func contains(_ moment: Timestamp) -> Bool { moment >= begin && end.map { moment < $0 } ?? true }

  /// Not negative.
  private static func remainder(_ value: Int64, _ divisor: Int64) -> Int64 {
    let remainder = value % divisor
    return remainder < 0 ? remainder + divisor : remainder
  }
}
