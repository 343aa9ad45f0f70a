// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Messages that are complete and wait to be sent, one behind the other in memory.
///
/// Lying side by side they can leave in one system call. Not thread-safe; one a destination.
struct MessageBatch: ~Copyable {
  /// How many messages may wait.
  static let capacity = 120
  /// Room that ``isFull`` leaves for what one append adds: a message of data, one of a new template, or those of 64
  /// options records on the narrowest path. A refresh of the templates stops at ``isFull`` and goes on later.
  static let reserve = 24
  /// No message is longer.
  static let longestMessage = 1472

  /// What one message carries.
  struct Contents {
    /// Data Records of Flows and what they counted: what is lost if the message is.
    var flows = FlowTotals()
    /// NAT events: the same.
    var events: UInt64 = 0
    /// Data Records, those of options too: how far the sequence number of IPFIX goes on.
    var records: UInt32 = 0
    var role = Role.data
  }

  /// What a message is to who has to begin anew: a connection to a Collector that has seen none of them.
  enum Role: Hashable, Sendable {
    /// Records that are told once.
    case data
    /// Templates and nothing else.
    case templates
    /// Options records that hold until they are told anew.
    case description(OptionsKind)
  }

  var octets = MessageBuffer(capacity: capacity * longestMessage)
  private(set) var contents: [Contents] = []
  private(set) var lengths: [UInt16] = []

  init() {
    contents.reserveCapacity(Self.capacity)
    lengths.reserveCapacity(Self.capacity)
  }

  var count: Int { contents.count }

  /// Where a message begins in ``octets``.
  func offset(of place: Int) -> Int { lengths[..<place].reduce(0) { $0 + Int($1) } }

  /// Whether the messages should be sent before more records are appended.
  var isFull: Bool { count >= Self.capacity - Self.reserve }

  /// Takes over a complete message.
  mutating func append(
    _ message: borrowing MessageBuffer, _ flows: FlowTotals, events: UInt64 = 0, records: UInt32 = 0,
    as role: Role = .data
  ) {
    precondition(count < Self.capacity, "messages were not sent in time")
    octets.append(message)
    lengths.append(UInt16(message.count))
    contents.append(Contents(flows: flows, events: events, records: records, role: role))
  }

  mutating func removeAll() {
    octets.removeAll()
    contents.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
  }
}
