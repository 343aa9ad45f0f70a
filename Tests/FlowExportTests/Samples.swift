// SPDX-License-Identifier: Apache-2.0

import FlowMeter

@testable import FlowExport

/// Octets out of hexadecimal digits; spaces and line ends are for the reader.
func octets(_ hexadecimal: String) -> [UInt8] {
  let digits = hexadecimal.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
  precondition(digits.count % 2 == 0)
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func mac(_ hexadecimal: String) -> MACAddress { unsafe MACAddress(octets(hexadecimal).span.bytes, at: 0) }

func address(_ text: String) -> IPAddress { IPAddress.parse(text)!.address }

/// Shows records in the buffer that the table would have filled.
func withBuffer<Result>(_ records: [FlowRecord], _ body: (borrowing FlowRecordBuffer) -> Result) -> Result {
  var buffer = FlowRecordBuffer(capacity: max(1, records.count))
  for record in records { buffer.append(record) }
  return body(buffer)
}

/// Records and moments that the tests share.
enum Sample {
  /// 2023-11-14T22:13:23.500Z, on a device that started at 21:56:40Z.
  static let instant = ExportInstant(
    now: Timestamp(milliseconds: 1_700_000_003_500), boot: Timestamp(milliseconds: 1_699_999_000_000))

  /// The instant some milliseconds later.
  static func instant(after milliseconds: Int64) -> ExportInstant {
    ExportInstant(now: instant.now.advanced(byMilliseconds: milliseconds), boot: instant.boot)
  }

  static func ipv4(_ number: IPProtocol, _ change: (inout FlowRecord) -> Void = { _ in }) -> FlowRecord {
    var record = FlowRecord()
    record.key.version = .v4
    record.key.source = address("192.0.2.1")
    record.key.destination = address("198.51.100.2")
    record.key.protocol = number
    record.key.ingressInterface = 2
    record.egressInterface = 3
    record.packets = 10
    record.octets = 5000
    record.start = Timestamp(milliseconds: 1_700_000_000_123)
    record.end = Timestamp(milliseconds: 1_700_000_002_456)
    record.endReason = .idleTimeout
    change(&record)
    return record
  }

  /// Of labels 16 with EXP 5 and TTL 63, 17, and 1048575 with EXP 1 at the bottom, so many.
  static func labelled(_ labels: Int) -> FlowRecord {
    ipv4(.hip) {
      $0.key.recordedLabels = UInt8(labels)
      $0.labels = unsafe MPLSLabelStack(
        octets("00010a3f 00011040 fffff301").span.bytes, at: 0, depth: 3, recorded: labels)
    }
  }

  static func ipv6(_ number: IPProtocol, _ change: (inout FlowRecord) -> Void = { _ in }) -> FlowRecord {
    ipv4(number) {
      $0.key.version = .v6
      $0.key.source = address("2001:db8::1")
      $0.key.destination = address("2001:db8::2")
      change(&$0)
    }
  }

  static var tcp: FlowRecord {
    ipv4(.tcp) {
      ($0.key.sourcePort, $0.key.destinationPort) = (49152, 443)
      $0.key.classOfService = 0x10
      $0.tcpControlBits = 0x1b
      $0.endReason = .endOfFlowDetected
    }
  }

  static var udp6: FlowRecord {
    ipv6(.udp) {
      ($0.key.sourcePort, $0.key.destinationPort) = (5353, 53)
      $0.flowLabel = 0xabcde
    }
  }

  /// One record of each shape that there is: versions, options, flow label, TCP options, both tags, transports.
  static var everyShape: [FlowRecord] {
    var records: [FlowRecord] = []
    for number in [IPProtocol.hip, .tcp, .icmp, .igmp, .esp] {
      for bits in 0..<64 {
        let record = bits & 1 == 0 ? ipv4(number) : ipv6(number)
        records.append(record.with(bits))
      }
    }
    return records
  }

  /// One record of each shape and of everything that a source and the NAT table may know beside.
  static var everyDetailedShape: [FlowRecord] {
    everyShape.flatMap { record in (0..<128).map { record.detailed($0) } }
  }

  /// One record of each shape that packets bring about: flow labels of IPv6, TCP options of TCP, no inner tag alone.
  static var everyLikelyShape: [FlowRecord] {
    everyShape.filter {
      ($0.flowLabel == 0 || $0.key.version == .v6) && ($0.tcpOptions == 0 || $0.key.protocol == .tcp)
        && ($0.key.innerTag == 0 || $0.key.outerTag != 0)
    }
  }
}

/// NAT events that the tests share, of 2023-11-14T22:13:21.789Z.
extension Sample {
  private static func tuple(
    _ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16
  ) -> ConnectionTuple {
    ConnectionTuple(
      source: address(source), destination: address(destination), sourcePort: sourcePort,
      destinationPort: destinationPort)
  }

  private static func event(_ kind: NATEvent.Kind, _ connection: Connection) -> NATEvent {
    NATEvent(kind, connection, at: Timestamp(milliseconds: 1_700_000_001_789))
  }

  /// 10.0.0.2:1000 becomes 203.0.113.1:2000, to 198.51.100.2:53.
  static var sourceTranslated: NATEvent {
    event(
      .create,
      Connection(
        original: tuple("10.0.0.2", 1000, "198.51.100.2", 53),
        translated: tuple("203.0.113.1", 2000, "198.51.100.2", 53), version: .v4, protocol: .udp, id: 1))
  }

  /// From 192.0.2.7:1000, 203.0.113.1:8080 becomes 10.0.0.3:80.
  static var destinationTranslated: NATEvent {
    event(
      .delete,
      Connection(
        original: tuple("192.0.2.7", 1000, "203.0.113.1", 8080), translated: tuple("192.0.2.7", 1000, "10.0.0.3", 80),
        version: .v4, protocol: .tcp, id: 2))
  }

  /// 10.0.0.2:1000 becomes 10.0.0.1:3000, and 203.0.113.1:8080 becomes 10.0.0.3:80.
  static var bothTranslated: NATEvent {
    event(
      .create,
      Connection(
        original: tuple("10.0.0.2", 1000, "203.0.113.1", 8080), translated: tuple("10.0.0.1", 3000, "10.0.0.3", 80),
        version: .v4, protocol: .tcp, id: 3))
  }

  static var ipv6Translated: NATEvent {
    event(
      .create,
      Connection(
        original: tuple("2001:db8::1", 1000, "2001:db8::2", 443),
        translated: tuple("2001:db8::9", 2000, "2001:db8::2", 443), version: .v6, protocol: .udp, id: 4))
  }

  /// The identifier 77 becomes 5000.
  static var echoTranslated: NATEvent {
    event(
      .delete,
      Connection(
        original: tuple("10.0.0.2", 77, "198.51.100.2", 0), translated: tuple("203.0.113.1", 5000, "198.51.100.2", 0),
        version: .v4, protocol: .icmp, id: 5))
  }

  /// The event, of a connection that carried 5 packets of 400 octets and 4 of 300.
  static func withTraffic(_ event: NATEvent) -> NATEvent {
    var event = event
    var traffic = ConnectionTraffic()
    (traffic.initiatorPackets, traffic.initiatorOctets) = (5, 400)
    (traffic.responderPackets, traffic.responderOctets) = (4, 300)
    event.traffic = traffic
    return event
  }
}

extension FlowRecord {
  fileprivate func detailed(_ bits: Int) -> FlowRecord {
    var record = self
    if bits & 1 != 0 { record.isTranslated = true }
    if bits & 2 != 0 { record.detail.egressPhysicalInterface = 9 }
    if bits & 4 != 0 { record.detail.sourceMACAddress = mac("020000000001") }
    if bits & 8 != 0 { record.direction = .ingress }
    if bits & 16 != 0 { record.detail.userID = 0 }
    if bits & 32 != 0 { record.detail.mark = 1 }
    if bits & 64 != 0 { record.key.recordedLabels = 1 }
    return record
  }

  fileprivate func with(_ bits: Int) -> FlowRecord {
    var record = self
    if bits & 2 != 0 { record.ipOptions = 1 }
    if bits & 4 != 0 { record.flowLabel = 5 }
    if bits & 8 != 0 { record.tcpOptions = 4 }
    if bits & 16 != 0 { record.key.outerTag = 0x2064 }
    if bits & 32 != 0 { record.key.innerTag = 0x4065 }
    return record
  }
}
