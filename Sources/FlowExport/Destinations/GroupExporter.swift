// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// Exports to a group of Collectors: each record to one of them, templates and options to all.
///
/// Belongs to the exporting thread, as its members do. What is lost is lost by a member, which counts it.
public final class GroupExporter: FlowRecordConsumer {
  private let mode: DestinationGroup.Mode
  private let members: [CollectorExporter]
  /// What each member is to get of the records at hand, by hash.
  private let shares: [Share]
  /// How many records and events each member was handed, in turn: the one with the least is the next.
  private var handed: [UInt64]

  private final class Share {
    var records = FlowRecordBuffer()
    var events: [NATEvent] = []
  }

  /// NAT events that go to one member in turn.
  private static let turn = 256

  /// An exporter to a group.
  ///
  /// - Parameters:
  ///   - mode: which member gets a record.
  ///   - members: at least one.
  public init(_ mode: DestinationGroup.Mode, _ members: [CollectorExporter]) {
    precondition(!members.isEmpty, "a group without a member has nobody to export to")
    self.mode = mode
    self.members = members
    shares = mode == .hash ? members.map { _ in Share() } : []
    handed = members.map { _ in 0 }
  }

  // MARK: A pass

  public func begin(at instant: ExportInstant) {
    for member in members {
      if mode != .hash { member.inquire() }
      member.begin(at: instant)
    }
    noteUse()
  }

  public func consume(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
    switch mode {
    case .hash: share(records, at: instant)
    case .roundRobin: next(for: records.count).consume(records, at: instant)
    case .failover: firstUsable.consume(records, at: instant)
    }
  }

  public func consume(_ events: [NATEvent], at instant: ExportInstant) {
    guard !events.isEmpty else { return }
    switch mode {
    case .hash: share(events, at: instant)
    case .roundRobin:
      for start in stride(from: 0, to: events.count, by: Self.turn) {
        let turn = Array(events[start..<min(start + Self.turn, events.count)])
        next(for: turn.count).consume(turn, at: instant)
      }
    case .failover: firstUsable.consume(events, at: instant)
    }
  }

  public func flush(at instant: ExportInstant) { for member in members { member.flush(at: instant) } }

  // MARK: By hash

  private func place(of conversation: Conversation) -> Int { Int(conversation.hash % UInt64(members.count)) }

  private func share(_ records: borrowing FlowRecordBuffer, at instant: ExportInstant) {
    for i in 0..<records.count {
      let place = place(of: Conversation(records[i].key))
      shares[place].records.append(records[i])
      if shares[place].records.isFull { hand(shares[place], to: members[place], at: instant) }
    }
    for (share, member) in zip(shares, members) where share.records.count > 0 {
      hand(share, to: member, at: instant)
    }
  }

  private func hand(_ share: Share, to member: CollectorExporter, at instant: ExportInstant) {
    member.consume(share.records, at: instant)
    share.records.removeAll()
  }

  private func share(_ events: [NATEvent], at instant: ExportInstant) {
    for event in events { shares[place(of: Conversation(event.connection))].events.append(event) }
    for (share, member) in zip(shares, members) where !share.events.isEmpty {
      member.consume(share.events, at: instant)
      share.events.removeAll(keepingCapacity: true)
    }
  }

  // MARK: In turn, and by order

  /// The member whose turn it is, for so many records: a whole buffer of them, so that messages are full.
  private func next(for count: Int) -> CollectorExporter {
    let places = usablePlaces
    let least = places.map { handed[$0] }.min() ?? 0
    // Who comes back is not to get all until it has as many as the others.
    for place in members.indices where !places.contains(place) { handed[place] = max(handed[place], least) }
    let place = places.first { handed[$0] == least } ?? 0
    handed[place] += UInt64(count)
    return members[place]
  }

  /// Where none is usable, all: what they lose is counted.
  private var usablePlaces: [Int] {
    let places = members.indices.filter { members[$0].isUsable }
    return places.isEmpty ? Array(members.indices) : places
  }

  /// The first that is usable; where none is, the first.
  private var firstUsable: CollectorExporter { members.first(where: \.isUsable) ?? members[0] }

  /// Has the statistics tell who gets records now.
  private func noteUse() {
    switch mode {
    case .hash: for member in members { member.isInUse = true }
    case .roundRobin:
      let places = usablePlaces
      for (place, member) in members.enumerated() { member.isInUse = places.contains(place) }
    case .failover:
      let first = firstUsable
      for member in members { member.isInUse = member === first }
    }
  }
}
