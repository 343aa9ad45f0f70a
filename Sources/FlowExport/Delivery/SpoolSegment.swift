// SPDX-License-Identifier: Apache-2.0

/// A part of a spool: an IPFIX file (RFC 5655), which begins with the templates of all that is in it.
final class SpoolSegment {
  /// `RUN-NUMBER.ipfix`: the names' order is the segments'.
  let name: String
  let run: String
  /// Octets of the file.
  var octets = 0
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
}
