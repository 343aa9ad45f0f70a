// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import FuzzChecks

/// One input of fuzz-decoder: packets through a batch into a small table, whose Flows are taken out now and then.
///
///     octet 0       link type of all packets that name none, by its place in `linkTypes`, over which it goes as often as
///                   MPLS labels are recorded
///     octet 1       settings: bit 0 fragments are not tracked; 1 a session of our own export is known;
///                   2-3 place in `tableSizes`; 4-5 place in `timeouts`; 6 Flows are active at the end; 7 interfaces
///                   are a bridge's ports, too, and tell the direction
///     steps         an octet each, whose low three bits say what it is:
///       0...4       a packet; if bit 3: time since the last packet (Int16, ms; s if bit 4 too); if bit 5: wire length
///                   (UInt32; else what is captured); if bit 6: link type; if bit 7: interfaces (in, out: 4 bits each);
///                   then the length of the packet and its octets
///       5           take out what has ended at the time of the last packet + Int16 s
///       6           the time of the next packet (Int64, ms)
///       7           hand the batch over though it is not full
struct DecoderRun: ~Copyable {
  private static let linkTypes: [LinkType] = [
    .ethernet, .raw, .linuxSLL, .linuxSLL2, .null, .loop, .ppp, .pppSerial, .pppoe, .ciscoHDLC, .pppWithDirection,
    .ipv4, .ipv6,
  ]
  private static let tableSizes = [64, 1, 7, 600]
  private static let timeouts: [(active: Int, inactive: Int)] = [(60, 15), (1, 1), (15, 60), (86_400, 3600)]
  /// 2023-11-14 22:13:20 UTC.
  private static let firstTime = Timestamp(milliseconds: 1_700_000_000_000)
  /// Times within this of 1970 leave room for all that is reckoned with them.
  private static let plausible: UInt64 = 1 << 60

  private var reader: InputReader
  private let defaultLinkType: LinkType
  private let endsWithActiveFlows: Bool
  private let hasDetails: Bool
  private let expiration: FlowExpiration
  private let table: FlowTable
  private var batch: PacketBatch
  private var ledger: FlowLedger
  private var buffer = FlowRecordBuffer(capacity: 64)
  private var clock = Self.firstTime
  private var latestTaking = Self.firstTime
  private var timesArePlausible = true

  init(_ input: UnsafeRawBufferPointer) {
    reader = unsafe InputReader(input)
    let link = reader.octet() ?? 0
    defaultLinkType = Self.linkType(link)
    let settings = reader.octet() ?? 0
    endsWithActiveFlows = settings & 64 != 0
    hasDetails = settings & 128 != 0
    let timeout = Self.timeouts[Int(settings >> 4 & 3)]
    var expiration = FlowExpiration()
    expiration.activeTimeout = .seconds(timeout.active)
    expiration.inactiveTimeout = .seconds(timeout.inactive)
    self.expiration = expiration
    var configuration = FlowTable.Configuration()
    configuration.expiration = expiration
    configuration.maxFlows = Self.tableSizes[Int(settings >> 2 & 3)]
    // The same input does the same every time.
    configuration.hashSeed = 1
    table = try! FlowTable(configuration)
    ledger = FlowLedger(expiration)
    batch = PacketBatch(
      fragments: settings & 1 == 0 ? .track : .zero,
      recordedLabels: min(Int(link) / Self.linkTypes.count, MPLSLabelStack.mostEntries),
      ownSessions: settings & 2 == 0 ? nil : Self.makeOwnSessions(),
      hashSeed: 1)
  }

  private static func linkType(_ octet: UInt8) -> LinkType { linkTypes[Int(octet) % linkTypes.count] }

  private static func makeOwnSessions() -> OwnSessions {
    let sessions = OwnSessions()
    if let source = IPAddress.parse("192.0.2.1"), let destination = IPAddress.parse("192.0.2.9") {
      sessions.set(
        OwnSession(
          source: source.address, destination: destination.address, version: .v4, sourcePort: 9995,
          destinationPort: 2055), number: 0)
    }
    return sessions
  }

  consuming func run() {
    while let step = reader.octet() {
      switch step & 7 {
      case 5:
        handOver()
        take(at: clock.advanced(byMilliseconds: Int64(reader.number(Int16.self)) * 1000))
      case 6: clock = Timestamp(milliseconds: reader.number(Int64.self))
      case 7: handOver()
      default: append(step)
      }
    }
    finish()
  }

  private mutating func append(_ step: UInt8) {
    if step & 8 != 0 {
      let distance = Int64(reader.number(Int16.self))
      clock = clock.advanced(byMilliseconds: step & 16 == 0 ? distance : distance * 1000)
    }
    let wireLength = step & 32 == 0 ? nil : Int(reader.number(UInt32.self))
    let linkType = step & 64 == 0 ? defaultLinkType : Self.linkType(reader.octet() ?? 0)
    let interfaces = step & 128 == 0 ? 0 : UInt32(reader.octet() ?? 0)
    judge(clock)
    // Released fragments alone may fill a batch.
    while batch.isFull { handOver() }
    reader.withOctets(Int(reader.octet() ?? 0)) { packet in
      var metadata = CaptureMetadata(
        time: clock, wireLength: wireLength ?? packet.byteCount, linkType: linkType,
        ingressInterface: interfaces & 15, egressInterface: interfaces >> 4)
      guard hasDetails else { return batch.append(packet, metadata) }
      metadata.direction = interfaces & 1 == 0 ? .ingress : .egress
      var detail = PacketDetail()
      (detail.ingressPhysicalInterface, detail.egressPhysicalInterface) = (interfaces & 15, interfaces >> 4)
      batch.append(packet, metadata, detail: detail)
    }
    FlowLedger.check(batch.statistics, waitingFragments: batch.waitingFragments)
  }

  private mutating func handOver() {
    table.update(batch)
    batch.reset(at: batch.latest)
    FlowLedger.check(batch.statistics, waitingFragments: batch.waitingFragments)
  }

  private mutating func judge(_ time: Timestamp) {
    timesArePlausible = timesArePlausible && time.milliseconds.magnitude < Self.plausible
  }

  private mutating func take(at now: Timestamp) {
    judge(now)
    latestTaking = max(latestTaking, now)
    ledger.take(from: table, at: now, into: &buffer)
  }

  /// Ends as a Metering Process does: no fragment waits any longer, no Flow stays.
  private mutating func finish() {
    table.update(batch)
    batch.reset(at: nil)
    table.update(batch)
    require(batch.waitingFragments == 0, "metering stops, and fragments wait")
    FlowLedger.check(batch.statistics, waitingFragments: 0)
    if !endsWithActiveFlows { checkDeadlines() }
    ledger.takeEverything(from: table, at: clock, into: &buffer)
    ledger.checkEmptied(table, metered: batch.statistics)
  }

  /// Once every deadline has passed, no Flow is active. The table's time never goes back, so what comes after it was
  /// asked for Flows of the future may wait until then.
  private mutating func checkDeadlines() {
    guard timesArePlausible, batch.statistics.observedPackets > 0 else { return }
    let longest = max(expiration.activeTimeout, expiration.inactiveTimeout).components.seconds * 1000
    take(at: max(batch.latest, latestTaking).advanced(byMilliseconds: longest + 1000))
    require(table.statistics.active == 0, "a Flow outlived its deadline")
  }
}
