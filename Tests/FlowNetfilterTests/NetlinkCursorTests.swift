// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowNetfilter

@Suite("Netlink cursor")
struct NetlinkCursorTests {
  /// Two attributes: type 7 with three octets and their padding, type 9 with none.
  static let attributes: [UInt8] = [7, 0, 7, 0, 1, 2, 3, 0, 4, 0, 9, 0x80]

  private func types(_ octets: [UInt8]) -> [UInt16] {
    var (cursor, types) = (NetlinkCursor(0..<octets.count), [UInt16]())
    while let attribute = unsafe cursor.nextAttribute(in: octets.span.bytes) { types.append(attribute.type) }
    return types
  }

  @Test("attributes follow each other at multiples of four octets, flags left out of the type")
  func attributes() { #expect(types(Self.attributes) == [7, 9]) }

  @Test("an attribute that claims less than its header or more than is left ends the walk")
  func lyingLengths() {
    for length in [0, 1, 3, 13, 255] as [UInt8] {
      #expect(types([length] + Self.attributes.dropFirst()) == [], "length \(length)")
    }
    #expect(types(Array(Self.attributes.dropLast(1))) == [7])
  }

  private func messages(_ octets: ArraySlice<UInt8>) -> [NetlinkMessage] {
    let octets = Array(octets)
    var (cursor, messages) = (NetlinkCursor(0..<octets.count), [NetlinkMessage]())
    while let message = unsafe cursor.nextMessage(in: octets.span.bytes) { messages.append(message) }
    return messages
  }

  @Test("a message ends the walk in the same way")
  func lyingMessages() {
    let octets: [UInt8] = [20, 0, 0, 0, 0, 4, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 5]
    #expect(messages(octets[...]).map(\.type) == [0x0400])
    #expect(messages(octets[...]).map(\.payload) == [16..<20])
    for count in 0..<20 { #expect(messages(octets[..<count]).isEmpty, "\(count) octets") }
  }
}
