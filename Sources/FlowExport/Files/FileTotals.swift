// SPDX-License-Identifier: Apache-2.0

/// What became of a destination's files.
public struct FileTotals: Hashable, Sendable {
  /// Files that have their names.
  public var complete: UInt64 = 0
  /// Files that have not, since that failed.
  public var unfinished: UInt64 = 0
  /// The path that the file which is being written will have, unless somebody takes it; nil: there is none.
  public var current: String?

  public init() {}
}

/// What an operator wants to hear of a destination's files.
public enum FileEvent: Hashable, Sendable, CustomStringConvertible {
  /// A file could not get its name; why. It is tried again, at the next start at the latest.
  case unfinished(String, String)
  /// Somebody removed a file that was being written, with what it had.
  case removed(String, flows: UInt64, natEvents: UInt64)
  /// A hidden file that cannot be opened; why. Whether somebody writes it is not known.
  case foreign(String, String)
  /// A file that a flowprobe which ended before its time had not completed is complete.
  case recovered(String, messages: Int, octetsCutOff: Int)
  /// What a file had that was written, and that the disk has not: it was counted as sent.
  case lost(String, messages: Int, flows: UInt64, natEvents: UInt64)

  public var description: String {
    switch self {
    case .unfinished(let path, let reason):
      "cannot complete '\(path)': \(reason); it stays hidden until it can be, at the next start at the latest"
    case .foreign(let path, let reason):
      "cannot look into '\(path)', which is being written or was left unfinished: \(reason); where no other user's flowprobe"
        + " writes it any more, give it to flowprobe's user (chown), and the next start completes it"
    case .removed(let path, let flows, let natEvents):
      "'\(path)' was removed while it was written: \(flows) flows"
        + (natEvents > 0 ? " and \(natEvents) NAT events" : "")
        + " are lost with it; leave names with a dot ahead and '\(FileDirectory.ending)' behind alone"
    case .recovered(let path, let messages, let octets):
      "completed '\(path)', which was left unfinished: \(messages) messages"
        + (octets > 0 ? "; \(octets) octets behind the last whole one were cut off" : "")
    case .lost(let path, let messages, let flows, let natEvents):
      "the disk has not all that was written to '\(path)': \(messages) messages with \(flows) flows"
        + (natEvents > 0 ? " and \(natEvents) NAT events" : "") + ", which were counted as sent, are lost"
    }
  }
}
