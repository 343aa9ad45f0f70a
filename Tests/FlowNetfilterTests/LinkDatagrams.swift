// SPDX-License-Identifier: Apache-2.0

/// What a kernel (6.18, little-endian) sent to a socket of NETLINK_ROUTE, recorded in a network namespace with a veth
/// pair v0 and v1. v0 has the alias "uplink to provider" and the alternative names uplink0 and enp1s0. Of the
/// attributes those that are not read have been cut out but for a few, and the messages' lengths made to fit.
enum LinkDatagrams {
  /// The answer to RTM_GETLINK, sequence 1: lo, v1, v0. It came in a datagram of its own.
  static let dump = octets(
    """
    4c0000001000020001000000823f000000000403010000000800000000000000070003006c6f000008000d00e8030000050010000200000008000400
    000001000a0001000000000000000000
    4c0000001000020001000000823f000000000100020000000210000000000000070003007631000008000d00e8030000050010000200000008000400
    dc0500000a0001006a706a1217b30000
    800000001000020001000000823f000000000100030000000210000000000000070003007630000008000d00e8030000050010000200000008000400
    dc0500001700140075706c696e6b20746f2070726f766964657200000a000100aaa42046044b00001c0034800c00350075706c696e6b30000b003500
    656e703173300000
    """)
  /// NLMSG_DONE, sequence 1.
  static let done = octets("140000000300020001000000823f000000000000")
  /// After `ip link set v0 name w0`.
  static let renamed = octets(
    """
    8000000010000000000000000000000000000100030000000210000000000000070003007730000008000d00e8030000050010000200000008000400
    dc0500001700140075706c696e6b20746f2070726f766964657200000a000100aaa42046044b00001c0034800c00350075706c696e6b30000b003500
    656e703173300000
    """)
  /// After `ip link add br0 type bridge`.
  static let added = octets(
    """
    4c000000100000000000000000000000000001000400000002100000ffffffff080003006272300008000d00e8030000050010000200000008000400
    dc0500000a000100eec08f76e18a0000
    """)
  /// After `ip link set v1 nomaster`: RTM_DELLINK of the family AF_BRIDGE.
  static let leftBridge = octets(
    """
    4c00000011000000000000000000000007000100020000000210000000000000070003007631000008000a000400000008000400dc05000005001000
    020000000a0001006a706a1217b30000
    """)
  /// After `ip link del w0`: first the one, then its peer v1.
  static let deleted = octets(
    """
    68000000110000000000000000000000000001000300000002100000ffffffff070003007730000008000d00e8030000050010000200000008000400
    dc0500000a000100aaa42046044b00001c0034800c00350075706c696e6b30000b003500656e703173300000
    4c000000110000000000000000000000000001000200000002100000ffffffff070003007631000008000d00e8030000050010000200000008000400
    dc0500000a0001006a706a1217b30000
    """)

  /// The places of a message's fields (struct nlmsghdr).
  static let flagsOffset = 6
  static let sequenceOffset = 8
  /// NLM_F_DUMP_INTR, which the kernel sets where interfaces changed under a dump.
  static let interrupted: UInt8 = 0x10

  static func octets(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// The datagram with one octet more set.
  static func with(_ octet: UInt8, at offset: Int, in datagram: [UInt8]) -> [UInt8] {
    var datagram = datagram
    datagram[offset] |= octet
    return datagram
  }
}
