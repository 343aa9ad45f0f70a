// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Messages of NetFlow v5: IPv4 only, one fixed record, no templates (Cisco NetFlow Collection Engine User Guide,
/// table B-3 and B-4).
final class NetFlow5Encoder: MessageEncoder {
  static let headerLength = 24
  static let recordLength = 48
  static let mostRecords = 30

  var messageLimit: Int
  let templateCount = 0
  var pending: FlowTotals { flows }
  /// The low octet of the Observation Domain: v5 has no room for more.
  private let engineID: UInt8
  /// Mode, 1 deterministic or 2 random, in two bits, and interval in fourteen; 0 where nothing is sampled.
  private let sampling: UInt16
  var sequence: UInt32 = 0
  private var records = MessageBuffer(capacity: mostRecords * recordLength)
  private var message = MessageBuffer(capacity: headerLength + mostRecords * recordLength)
  private var flows = FlowTotals()
  private var events: UInt64 = 0
  /// How many parts of the current record have been added.
  private var part: UInt64 = 0

  init(engineID: UInt8, messageLimit: Int, sampling: Sampling? = nil) {
    self.engineID = engineID
    self.sampling = sampling.map { $0.modeNumber << 14 | UInt16($0.interval) } ?? 0
    self.messageLimit = messageLimit
  }

  func append(
    _ records: borrowing FlowRecordBuffer, from next: inout Int, at instant: ExportInstant,
    to batch: inout MessageBatch, rejected: inout FlowTotals
  ) {
    while next < records.count, !batch.isFull {
      let record = records[next]
      if record.key.version != .v4 {
        rejected.add(FlowTotals(flows: 1, packets: record.packets, octets: record.octets))
        next += 1
      } else if appendPart(of: record, at: instant, to: &batch) {
        next += 1
      }
    }
  }

  /// Adds the record, or the next part of it: a Flow that counts more than 32 bits hold leaves as several records, whose
  /// sum is exact. True where that was the last part.
  private func appendPart(of record: FlowRecord, at instant: ExportInstant, to batch: inout MessageBatch) -> Bool {
    let most = UInt64(UInt32.max)
    let parts = max(1, Self.parts(of: record.packets, each: most), Self.parts(of: record.octets, each: most))
    append(
      record, packets: Self.share(part, of: record.packets, in: parts),
      octets: Self.share(part, of: record.octets, in: parts), at: instant, to: &batch)
    part = part + 1 < parts ? part + 1 : 0
    return part == 0
  }

  private static func parts(of whole: UInt64, each most: UInt64) -> UInt64 {
    whole / most + (whole % most == 0 ? 0 : 1)
  }

  /// Parts that differ by one at most and add up to the whole.
  private static func share(_ part: UInt64, of whole: UInt64, in parts: UInt64) -> UInt64 {
    whole / parts + (part < whole % parts ? 1 : 0)
  }

  ///      0  source address          4  destination address      8  next hop
  ///     12  input ifIndex (2)      14  output ifIndex (2)      16  packets
  ///     20  octets                 24  first, sysUpTime        28  last, sysUpTime
  ///     32  source port (2)        34  destination port (2)    36  pad (1)
  ///     37  TCP flags (1)          38  protocol (1)            39  TOS (1)
  ///     40  source AS (2)          42  destination AS (2)      44  source mask (1)
  ///     45  destination mask (1)   46  pad (2)
  private func append(
    _ record: FlowRecord, packets: UInt64, octets: UInt64, at instant: ExportInstant,
    to batch: inout MessageBatch
  ) {
    makeRoom(for: 1, at: instant, to: &batch)
    records.append(record.key.source.ipv4)
    records.append(record.key.destination.ipv4)
    records.append(record.nextHop.ipv4)
    // An index that has no room is better not known than another's.
    records.append(UInt16(exactly: record.key.ingressInterface) ?? 0)
    records.append(UInt16(exactly: record.egressInterface) ?? 0)
    records.append(UInt32(packets))
    records.append(UInt32(octets))
    records.append(instant.upTime(record.start))
    records.append(instant.upTime(record.end))
    // Of other protocols the key's port fields hold what v5 has no place for.
    let hasPorts = [.ports, .icmp].contains(FlowShape.Transport(record.key.protocol))
    records.append(hasPorts ? record.key.sourcePort : 0)
    records.append(hasPorts ? record.key.destinationPort : 0)
    records.append(UInt8(0))
    records.append(record.tcpControlBits)
    records.append(record.key.protocol)
    records.append(record.key.classOfService)
    records.append(zeros: 4)
    records.append(record.sourcePrefixLength)
    records.append(record.destinationPrefixLength)
    records.append(zeros: 2)
    flows.flows += 1
    flows.packets += packets
    flows.octets += octets
  }

  /// Ends the message if it has not room for so many records more.
  private func makeRoom(for count: Int, at instant: ExportInstant, to batch: inout MessageBatch) {
    let fitting = min(Self.mostRecords, (messageLimit - Self.headerLength) / Self.recordLength)
    if records.count / Self.recordLength + count > fitting { flush(at: instant, to: &batch) }
  }

  // MARK: NAT events

  func append(
    _ events: [NATEvent], from next: inout Int, at instant: ExportInstant, to batch: inout MessageBatch,
    rejected: inout UInt64
  ) {
    while next < events.count, !batch.isFull {
      let event = events[next]
      next += 1
      guard event.connection.version == .v4 else {
        rejected += 1
        continue
      }
      // Both records of an event in one message.
      makeRoom(for: 2, at: instant, to: &batch)
      let (original, translated) = (event.connection.original, event.connection.translated)
      if original.source != translated.source || original.sourcePort != translated.sourcePort {
        append(event, nextHop: translated.source, sourceAS: translated.sourcePort, at: instant)
      }
      if original.destination != translated.destination || original.destinationPort != translated.destinationPort {
        append(event, nextHop: original.destination, destinationAS: original.destinationPort, at: instant)
      }
      self.events += 1
    }
  }

  /// ipt_NETFLOW's pseudo-record of an event: no packets, the times that of the event, the control bits SYN and ACK of
  /// one that begins and FIN and RST of one that ends. Addresses are the original source and the translated destination;
  /// where next hop and AS hold what the other one of the two was before or is after.
  private func append(
    _ event: NATEvent, nextHop: IPAddress, sourceAS: UInt16 = 0, destinationAS: UInt16 = 0, at instant: ExportInstant
  ) {
    let time = instant.upTime(event.time.advanced(byMilliseconds: -instant.shift))
    records.append(event.connection.original.source.ipv4)
    records.append(event.connection.translated.destination.ipv4)
    records.append(nextHop.ipv4)
    records.append(zeros: 12)
    records.append(time)
    records.append(time)
    records.append(event.connection.original.sourcePort)
    records.append(event.connection.translated.destinationPort)
    records.append(UInt8(0))
    records.append(event.kind == .create ? UInt8(0x12) : UInt8(0x05))
    records.append(event.connection.protocol)
    records.append(UInt8(0))
    records.append(sourceAS)
    records.append(destinationAS)
    records.append(zeros: 4)
  }

  ///      0  version (2)             2  count (2)                4  sysUpTime
  ///      8  seconds                12  nanoseconds             16  flow sequence
  ///     20  engine type (1)        21  engine id (1)           22  sampling mode and interval (2)
  @discardableResult
  func flush(at instant: ExportInstant, to batch: inout MessageBatch) -> Bool {
    let count = records.count / Self.recordLength
    guard count > 0 else { return true }
    if batch.isFull { return false }
    let wall = instant.wall(instant.now).milliseconds
    message.removeAll()
    message.append(UInt16(5))
    message.append(UInt16(count))
    message.append(instant.upTime(instant.now))
    message.append(UInt32(truncatingIfNeeded: wall / 1000))
    message.append(UInt32(truncatingIfNeeded: wall % 1000 * 1_000_000))
    message.append(sequence)
    message.append(UInt8(0))
    message.append(engineID)
    message.append(sampling)
    message.append(records)
    sequence &+= UInt32(count)
    batch.append(message, flows, events: events)
    records.removeAll()
    (flows, events) = (FlowTotals(), 0)
    return true
  }

  func append(
    _ kind: OptionsKind, _ records: [ExporterOptions], at instant: ExportInstant, to batch: inout MessageBatch
  ) {}

  func sendTemplates(at instant: ExportInstant, to batch: inout MessageBatch) {}

  func templatesAreDue(at instant: ExportInstant) -> Bool { false }
}
