// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The text that ipt_NETFLOW has in /proc/net/stat/ipt_netflow_flows: a line for each active Flow.
///
/// It is made a part of the table at a time: the whole is never in memory, and no part is locked for long.
struct FlowsDump: ~Copyable {
  private let recordsMACAddresses: Bool
  private let activeTimeout: Int64
  private let inactiveTimeout: Int64
  private let limit: Int
  private var count = 0
  private var visit = FlowTableVisit()
  private var buffer = FlowRecordBuffer()
  private var hasMore = true

  /// - Parameter limit: how many lines there are at most.
  init(_ program: ProbeStatistics.Program, limit: Int = .max) {
    self.limit = limit
    recordsMACAddresses = program.recordsMACAddresses
    activeTimeout = program.expiration.activeTimeout.milliseconds
    inactiveTimeout = program.expiration.inactiveTimeout.milliseconds
  }

  /// The lines of the next Flows; nil when there are no more.
  ///
  /// - Parameter now: the table's time.
  mutating func nextLines(of table: FlowTable, at now: Timestamp) -> String? {
    guard hasMore, count < limit else { return nil }
    hasMore = table.copyActive(&visit, into: &buffer)
    var text = ""
    for i in 0..<min(buffer.count, limit - count) {
      text += line(buffer[i], bucket: table.bucket(of: buffer[i]), at: now)
    }
    buffer.removeAll()
    return text
  }

  /// The first line.
  var heading: String {
    "# hash a dev:i,o\(recordsMACAddresses ? " mac:src,dst" : "") vlan type proto src:ip,port dst:ip,port nexthop"
      + " tos,tcpflags,options,tcpoptions packets bytes ts:first,last\n"
  }

  /// The next line: numbers as the original has them, times as milliseconds before `now`.
  mutating func line(_ record: FlowRecord, bucket: UInt64, at now: Timestamp) -> String {
    count += 1
    let (key, detail) = (record.key, record.detail)
    let first = now.milliseconds - record.start.milliseconds
    let last = now.milliseconds - record.end.milliseconds
    let due = (last >= inactiveTimeout ? 1 : 0) | (first >= activeTimeout ? 2 : 0)
    var text = "\(count) "
    text += hex(bucket, digits: 4)
    text += " \(due) \(key.ingressInterface),\(record.egressInterface)"
    if recordsMACAddresses { text += " \(detail.sourceMACAddress.text),\(detail.destinationMACAddress.text)" }
    text += key.innerTag == 0 ? " \(key.outerTag)" : " \(key.outerTag),\(key.innerTag)"
    text += " \(hex(EtherType.of(key.version), digits: 4)) "
    text += "\(key.protocol.rawValue) \(key.source.text(key.version)),\(key.sourcePort)"
    text += " \(key.destination.text(key.version)),\(key.destinationPort) \(record.nextHop.text(key.version))"
    text += " \(hex(key.classOfService)),\(hex(record.tcpControlBits))"
    text += ",\(hex(record.ipOptions)),\(hex(record.tcpOptions))"
    text += " \(record.packets) \(record.octets) \(first),\(last)\n"
    return text
  }

  private func hex(_ number: some BinaryInteger, digits: Int = 1) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
