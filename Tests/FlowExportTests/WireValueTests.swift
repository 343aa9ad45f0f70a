// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Testing

@testable import FlowExport

@Suite("Values and octets")
struct WireValueTests {
  /// The value's octets between guards that it must leave alone.
  private func written<Value: WireValue>(_ value: Value) -> [UInt8] {
    var buffer = MessageBuffer(capacity: 128)
    buffer.append(UInt8(0xa5))
    buffer.append(value)
    buffer.append(UInt8(0x5a))
    let octets = buffer.copy
    #expect(octets.first == 0xa5 && octets.last == 0x5a)
    #expect(octets.count == Value.wireLength + 2)
    return Array(octets.dropFirst().dropLast())
  }

  @Test("numbers are written from the most significant octet")
  func numbers() {
    #expect(written(UInt8(0x12)) == [0x12])
    #expect(written(UInt16(0x1234)) == [0x12, 0x34])
    #expect(written(UInt32(0x1234_5678)) == octets("12345678"))
    #expect(written(UInt64(0x0123_4567_89ab_cdef)) == octets("0123456789abcdef"))
  }

  @Test("addresses are written in their 4 or 16 octets")
  func addresses() {
    #expect(written(address("192.0.2.1").ipv4) == [192, 0, 2, 1])
    #expect(written(mac("020a0b0c0d0e")) == octets("020a0b0c0d0e"))
    #expect(written(address("2001:db8::ff00:42:8329")) == octets("20010db8000000000000ff0000428329"))
  }

  @Test("enumerated values are one octet of their assigned number")
  func assigned() {
    #expect(written(IPVersion.v6) == [6])
    #expect(written(IPProtocol.sctp) == [132])
    #expect(written(FlowEndReason.lackOfResources) == [5])
    #expect(written(FlowDirection.egress) == [1])
  }

  @Test("a time is 64 bits of milliseconds since 1970")
  func time() {
    #expect(written(Timestamp(milliseconds: 1_700_000_000_123)) == octets("0000018bcfe5687b"))
    #expect(written(Timestamp(milliseconds: 0)) == octets("0000000000000000"))
  }

  @Test("texts are cut or padded with zeros to their field's length")
  func texts() {
    #expect(written(InterfaceName(text: "eth0")) == octets("65746830 000000000000000000000000"))
    #expect(written(InterfaceName(text: "")) == octets("00000000000000000000000000000000"))
    #expect(written(InterfaceName(text: "abcdefghijklmnopq")) == Array("abcdefghijklmnop".utf8))
    #expect(written(UserName(text: "4294967295")) == octets("34323934393637323935 000000000000"))
    #expect(written(ShortDescription(text: "x")) == [0x78] + Array(repeating: 0, count: 31))
    #expect(written(InterfaceDescription(text: "x")) == [0x78] + Array(repeating: 0, count: 63))
  }

  @Test("a text is cut between two characters, so that it stays UTF-8")
  func cutTexts() {
    #expect(written(InterfaceName(text: "abcdefghijklmnoü")) == Array("abcdefghijklmno".utf8) + [0])
    #expect(written(InterfaceName(text: "abcdefghijklmnü")) == Array("abcdefghijklmnü".utf8))
    #expect("aü€😀".prefix(octets: 10) == "aü€😀")
    #expect("aü€😀".prefix(octets: 9) == "aü€")
    #expect("aü€😀".prefix(octets: 5) == "aü")
    #expect("aü€😀".prefix(octets: 2) == "a")
    #expect("aü€😀".prefix(octets: 0) == "")
    #expect("".prefix(octets: 3) == "")
  }

  @Test("values as JSON: numbers bare, addresses, times and texts in quotes")
  func json() {
    #expect(UInt64.max.json == "18446744073709551615")
    #expect(address("192.0.2.1").ipv4.json == "\"192.0.2.1\"")
    #expect(address("2001:db8::1").json == "\"2001:db8::1\"")
    #expect(IPProtocol.tcp.json == "6")
    #expect(Timestamp(milliseconds: 0).json == "\"1970-01-01T00:00:00.000Z\"")
    #expect(InterfaceName(text: "a\"b\\c\nd\u{1f}ü").json == "\"a\\\"b\\\\c\\u000ad\\u001fü\"")
  }

  @Test("a buffer takes appends, patches and truncation, and begins anew")
  func buffer() {
    var buffer = MessageBuffer(capacity: 8)
    buffer.append(UInt32(0x0102_0304))
    buffer.append(zeros: 2)
    buffer.patch(UInt16(0xaabb), at: 1)
    var other = MessageBuffer(capacity: 8)
    other.append(UInt8(9))
    other.append(buffer, from: 4)
    let (copies, counts) = ([buffer.copy, other.copy], [buffer.count, buffer.room])
    #expect(copies == [[1, 0xaa, 0xbb, 4, 0, 0], [9, 0, 0]])
    #expect(counts == [6, 2])
    buffer.truncate(to: 1)
    let truncated = buffer.copy
    #expect(truncated == [1])
    buffer.removeAll()
    let rooms = [buffer.count, buffer.room]
    #expect(rooms == [0, 8])
  }

  @Test("an append beyond the capacity traps instead of writing there")
  func overflow() async {
    await #expect(processExitsWith: .failure) {
      trapAtOnce()
      var buffer = MessageBuffer(capacity: 3)
      buffer.append(UInt32(0))
    }
  }
}

@Suite("Times as text")
struct TimestampTextTests {
  @Test(
    "a moment is written in UTC, by the Gregorian calendar",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1, "1970-01-01T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"),
      (-86_400_000, "1969-12-31T00:00:00.000Z"), (-2_208_988_800_000, "1900-01-01T00:00:00.000Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
      (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
      (1_735_689_599_999, "2024-12-31T23:59:59.999Z"), (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
      (2_147_483_648_000, "2038-01-19T03:14:08.000Z"), (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func iso8601(milliseconds: Int64, text: String) {
    #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
  }
}
