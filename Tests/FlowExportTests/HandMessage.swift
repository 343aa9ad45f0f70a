// SPDX-License-Identifier: Apache-2.0

import FlowMeter

@testable import FlowExport

/// A message of the Template 256, octetDeltaCount alone, and one of as many records of it; one of the Template 257, ten
/// fields of an octet, and one of a record of it: RFC 7011 sections 3.1 to 3.4, written by hand.
enum HandMessage {
  static let template = message("0002000c 0100 0001 0001 0008", .templates)
  static func data(_ records: Int) -> QueuedMessage {
    let length = String(4 + 8 * records, radix: 16)
    return message(
      "0100" + String(repeating: "0", count: 4 - length.count) + length
        + String(repeating: "0000000000000001", count: records), .data, flows: records)
  }
  static let wideTemplate = message("00020030 0101 000a" + String(repeating: "0004 0001", count: 10), .templates)
  static let wideData = message("0101000e 06060606060606060606", .data, flows: 1)

  private static func message(_ sets: String, _ role: MessageBatch.Role, flows: Int = 0) -> QueuedMessage {
    var body = octets("00000000 00000000 00000007" + sets)
    body.insert(contentsOf: [0, 10, UInt8((body.count + 4) >> 8), UInt8((body.count + 4) & 0xff)], at: 0)
    var contents = MessageBatch.Contents(role: role)
    (contents.flows.flows, contents.records) = (UInt64(flows), UInt32(flows))
    return QueuedMessage(octets: body, contents: contents)
  }
}
