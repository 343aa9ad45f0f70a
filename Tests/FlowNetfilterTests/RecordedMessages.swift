// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowMeter
@testable import FlowNetfilter

/// A datagram that the kernel sent, of Tests/Vectors, and what other programs said of the same thing.
struct RecordedMessage: Sendable, CustomTestStringConvertible {
  var name: String
  var witness: [String]
  var octets: [UInt8]
  var testDescription: String { name }

  /// What conntrack told, with the lines of conntrack(8).
  static let conntrack = load("conntrack.txt")
  /// What log groups told, with the lines of tshark.
  static let nflog = load("nflog.txt")

  /// What nf_tables listed of chains and rules, with the lines of nft.
  static let rules = load("rules.txt")

  static func conntrack(_ name: String) -> RecordedMessage { conntrack.first { $0.name == name }! }
  static func nflog(_ name: String) -> RecordedMessage { nflog.first { $0.name == name }! }

  /// Blocks with an empty line between: a name, lines of witnesses, hexadecimal digits.
  private static func load(_ file: String) -> [RecordedMessage] {
    text(#filePath.replacing("FlowNetfilterTests/RecordedMessages.swift", with: "Vectors/" + file))
      .split(separator: "\n\n").compactMap { block in
        let lines = block.split(separator: "\n").map(String.init)
        guard let name = lines.first, !name.hasPrefix("#") else { return nil }
        return RecordedMessage(
          name: name, witness: lines.filter { $0.hasPrefix("# ") }.map { String($0.dropFirst(2)) },
          octets: LinkDatagrams.octets(lines.dropFirst().filter { !$0.hasPrefix("#") }.joined()))
      }
  }

  private static func text(_ path: String) -> String {
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var octets = [UInt8](repeating: 0, count: 1 << 20)
    let count = unsafe fread(&octets, 1, octets.count, file)
    return String(decoding: octets[..<count], as: UTF8.self)
  }
}

/// Shows each message of a datagram.
func forEachMessage(_ octets: [UInt8], _ body: (RawSpan, NetlinkMessage) -> Void) {
  var cursor = NetlinkCursor(0..<octets.count)
  while let message = unsafe cursor.nextMessage(in: octets.span.bytes) { unsafe body(octets.span.bytes, message) }
}

/// Shows octets cut short at every place, and with every octet made another: lengths that lie, types that are others.
func forEachDamage(_ octets: [UInt8], _ body: ([UInt8]) -> Void) {
  for count in 0..<octets.count { body(Array(octets[..<count])) }
  for place in octets.indices {
    for octet in [0, 1, 3, 4, 5, 8, 0x7f, 0x80, 0xff] as [UInt8] where octet != octets[place] {
      var damaged = octets
      damaged[place] = octet
      body(damaged)
    }
  }
}

/// An attribute with its padding (struct nlattr).
func attribute(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
  let length = UInt16(4 + payload.count)
  return [UInt8(length & 0xff), UInt8(length >> 8), UInt8(type & 0xff), UInt8(type >> 8)] + payload
    + Array(repeating: 0, count: (4 - payload.count % 4) % 4)
}

/// A message of this type (struct nlmsghdr).
func message(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
  let length = UInt16(16 + payload.count)
  return [UInt8(length & 0xff), UInt8(length >> 8), 0, 0, UInt8(type & 0xff), UInt8(type >> 8)]
    + Array(repeating: 0, count: 10) + payload
}

func address(_ text: String) -> IPAddress { IPAddress.parse(text)!.address }
