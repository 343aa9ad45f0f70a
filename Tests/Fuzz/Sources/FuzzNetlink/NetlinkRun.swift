// SPDX-License-Identifier: Apache-2.0

@testable internal import FlowMeter
@testable internal import FlowNetfilter
internal import FuzzChecks
internal import Synchronization

/// One input of fuzz-netlink: datagrams of the kernel as the sources read them, and what conntrack may tell in any order.
///
///     octet 0       settings: bit 0 and 1 place in `capacities`; 2 details are recorded
///     steps         an octet each, whose low three bits say what it is:
///       0           a datagram of an NFLOG group
///       1           a datagram of conntrack's events
///       2           a piece of a listing of conntrack's
///       3           a listing of conntrack's begins, and if bit 3: one is complete before
///       4           time passes (UInt16, ms)
///       5           a connection out of few: its number and what is told of it in an octet
///       6           a datagram of rtnetlink; before it, if bit 3: a dump is asked for; if bit 4: messages are lost
///       7           the Flow of a connection out of few is completed: its number and stage in an octet
///                   A datagram's length (UInt16) stands before its octets.
struct NetlinkRun: ~Copyable {
  private static let capacities = [1000, 1, 2, 16]
  /// 2026-11-21 18:42:30 UTC: packets of Tests/Vectors have stamps near it.
  private static let firstTime = Timestamp(milliseconds: 1_795_286_550_000)
  private static let memory: Int64 = 2000

  private var input: InputReader
  private var now = Self.firstTime
  private let capacity: Int
  private let translations: NATTable
  private var nflog: NFLogReader
  private var batch = PacketBatch(hashSeed: 1)
  private var interfaces = KnownInterfaces()
  private var dumps: UInt32 = 0
  private var events: [NATEvent] = []

  init(_ octets: UnsafeRawBufferPointer) {
    input = unsafe InputReader(octets)
    let settings = input.octet() ?? 0
    capacity = Self.capacities[Int(settings & 3)]
    var configuration = NATTable.Configuration()
    (configuration.capacity, configuration.memory) = (capacity, .milliseconds(Self.memory))
    translations = NATTable(configuration)
    var details = RecordedDetails()
    if settings & 4 != 0 { (details.hardwareAddresses, details.mark, details.userID) = (true, true, true) }
    nflog = NFLogReader(details: details, translations)
  }

  consuming func run() {
    while let step = input.octet() {
      switch step & 7 {
      case 0: readLog()
      case 1:
        readConntrack { ledger, kind, told, moment, events in
          switch kind {
          case .new: ledger.began(told.connection, at: told.start, moment, &events)
          case .destroy: ledger.ended(told.connection, at: told.stop, traffic: told.traffic, moment, &events)
          }
        }
      case 2:
        readConntrack { ledger, kind, told, moment, events in
          if kind == .new { ledger.counted(told.connection, at: told.start, moment, &events) }
        }
      case 3: takeCensus(completesLast: step & 8 != 0)
      case 4: now = now.advanced(byMilliseconds: Int64(input.number(UInt16.self)))
      case 5: tell(input.octet() ?? 0)
      case 6: readLinks(step)
      default: complete(input.octet() ?? 0)
      }
      check()
    }
    finish()
  }

  private var moment: NATLedger.Moment { NATLedger.Moment(now: now, wall: now) }

  /// Shows the next datagram.
  private mutating func withDatagram(_ body: (inout NetlinkRun, RawSpan) -> Void) {
    let length = Int(input.number(UInt16.self))
    var rest = input
    rest.withOctets(length) { body(&self, $0) }
    input = rest
  }
}

// MARK: NFLOG

extension NetlinkRun {
  private mutating func readLog() {
    withDatagram { run, bytes in
      Self.checkRanges(bytes)
      run.nflog.begin(octets: bytes.byteCount)
      repeat {
        run.batch.reset(at: run.batch.latest)
        run.nflog.read(bytes, at: LiveClock(now: run.now, shift: 0), into: &run.batch)
        FlowLedger.check(run.batch.statistics, waitingFragments: run.batch.waitingFragments)
      } while !run.nflog.isAtEnd
    }
  }

  /// What a message tells of lies within it.
  private static func checkRanges(_ bytes: RawSpan) {
    var cursor = NetlinkCursor(0..<bytes.byteCount)
    while let message = cursor.nextMessage(in: bytes) {
      require(message.payload.upperBound <= bytes.byteCount, "a message ends behind its datagram")
      guard message.payload.count > NetlinkMessage.netfilterHeaderLength else { continue }
      let packet = NFLogPacket(bytes, message.payload)
      for range in [packet.payload, packet.ethernetHeader, packet.conntrack] where !range.isEmpty {
        require(
          range.lowerBound >= message.payload.lowerBound + NetlinkMessage.netfilterHeaderLength
            && range.upperBound <= message.payload.upperBound, "a packet lies outside its message")
      }
    }
  }
}

// MARK: Conntrack

extension NetlinkRun {
  private typealias Telling = (
    inout NATLedger, ConntrackMessage.Kind, ConntrackMessage, NATLedger.Moment, inout [NATEvent]
  ) -> Void

  private mutating func readConntrack(_ tell: Telling) {
    withDatagram { run, bytes in
      var cursor = NetlinkCursor(0..<bytes.byteCount)
      while let message = cursor.nextMessage(in: bytes) {
        let end = message.payload.upperBound
        let start = min(message.payload.lowerBound + NetlinkMessage.netfilterHeaderLength, end)
        guard let kind = ConntrackMessage.kind(message),
          let told = ConntrackMessage(bytes, attributes: start..<end)
        else { continue }
        require(told.connection.isTranslated, "a connection that is not translated was read")
        let moment = run.moment
        run.translations.state.withLock { tell(&$0, kind, told, moment, &run.events) }
      }
    }
  }

  private mutating func takeCensus(completesLast: Bool) {
    if completesLast { completeCensus() }
    translations.state.withLock { $0.beginCensus() }
  }

  private mutating func completeCensus() {
    let moment = moment
    var (place, isDone) = (0, false)
    while !isDone {
      let (last, told) = (place, events.count)
      isDone = translations.state.withLock { $0.endCensus(from: &place, limit: 3, moment, &events) }
      require(events.count <= told + 3, "more conclusions than were asked for")
      require(isDone || place > last, "a census without end")
    }
  }

  /// One of 64 connections: bits 0 to 3 of the octet tell its number, bits 6 and 7 what is translated.
  private static func connection(_ octet: UInt8) -> Connection {
    let number = octet & 15
    func address(_ last: UInt8, _ isIPv6: Bool) -> IPAddress {
      IPAddress(high: UInt64(last) << 24 | (isIPv6 ? 0xb80d_0120 : 10), low: 0)
    }
    let isIPv6 = octet >> 6 == 2
    var original = ConnectionTuple(
      source: address(number & 3, isIPv6), destination: address(9, isIPv6), sourcePort: UInt16(number >> 2),
      destinationPort: octet >> 6 == 1 ? 0 : 53)
    var translated = original
    translated.source = address(8, isIPv6)
    if octet >> 6 == 3 {
      (translated.destination, translated.destinationPort) = (address(number & 1, isIPv6), 80)
      original.sourcePort = 80
    }
    return Connection(
      original: original, translated: translated, version: isIPv6 ? .v6 : .v4,
      protocol: octet >> 6 == 1 ? .icmp : .udp, id: UInt32(number >> 3))
  }

  private mutating func tell(_ octet: UInt8) {
    let (connection, moment) = (Self.connection(octet), moment)
    translations.state.withLock { ledger in
      switch octet >> 4 & 3 {
      case 0: ledger.began(connection, at: nil, moment, &events)
      case 1: ledger.ended(connection, at: nil, traffic: nil, moment, &events)
      case 2: ledger.counted(connection, at: nil, moment, &events)
      default: ledger.glimpsed(connection, at: moment.now)
      }
    }
  }

  private mutating func complete(_ octet: UInt8) {
    let connection = Self.connection(octet)
    let (arriving, between, leaving) = connection.stages
    var tuple = [arriving, between, leaving][Int(octet >> 4 & 3) % 3]
    if octet & 1 != 0 { tuple = tuple.inverse }
    var record = FlowRecord()
    (record.key.source, record.key.destination) = (tuple.source, tuple.destination)
    (record.key.sourcePort, record.key.destinationPort) = (tuple.sourcePort, tuple.destinationPort)
    (record.key.protocol, record.key.version) = (connection.protocol, connection.version)
    (record.start, record.end) = (now.advanced(byMilliseconds: -500), now)
    var buffer = FlowRecordBuffer(capacity: 1)
    buffer.append(record)
    translations.annotate(&buffer)
    let completed = buffer[0]
    require(
      completed.isTranslated || completed.postNATSource == IPAddress() && completed.postNAPTSourcePort == 0,
      "a Flow that is not translated has a translation")
    require(
      connection.protocol.hasPorts || completed.postNAPTSourcePort == 0 && completed.postNAPTDestinationPort == 0,
      "a Flow without ports has translated ones")
  }
}

// MARK: Interfaces

extension NetlinkRun {
  private mutating func readLinks(_ step: UInt8) {
    if step & 8 != 0 {
      dumps &+= 1
      interfaces.beginDump(sequence: dumps)
    }
    if step & 16 != 0 { interfaces.messagesWereLost() }
    withDatagram { run, bytes in run.interfaces.take(bytes) }
    for interface in interfaces.takeToldOf() { interfaces.setSpeed(interface.index & 1, of: interface.index) }
    for (index, interface) in interfaces.byIndex {
      require(index != 0 && index == interface.index, "an interface stands under another's index")
      require(!interface.name.isEmpty, "an interface without a name")
    }
  }
}

// MARK: Checks

extension NetlinkRun {
  private func check() {
    translations.state.withLock { $0.assertInvariants() }
    let statistics = translations.statistics
    require(statistics.held <= capacity, "more connections than there is room for")
    require(statistics.created + statistics.deleted == UInt64(events.count), "the statistics have other events")
    require(statistics.recovered <= UInt64(events.count), "more events were recovered than made")
  }

  /// Ends as the program does, and then with an empty conntrack: nothing is left but what was told last.
  private mutating func finish() {
    batch.reset(at: nil)
    FlowLedger.check(batch.statistics, waitingFragments: 0)
    takeCensus(completesLast: false)
    completeCensus()
    check()
    require(translations.statistics.active == 0, "conntrack is empty, and connections live")
    require(translations.state.withLock { $0.silentCount } == 0, "conntrack is empty, and connections may end")
    now = now.advanced(byMilliseconds: Self.memory)
    tell(0)
    tell(1 << 4)
    check()
    require(translations.statistics.held == 1, "what has faded is remembered")
  }
}
