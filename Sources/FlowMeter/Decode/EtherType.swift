// SPDX-License-Identifier: Apache-2.0

/// An EtherType (IEEE 802 Numbers).
package enum EtherType {
  package static let ipv4: UInt16 = 0x0800
  package static let ipv6: UInt16 = 0x86dd
  static let vlan: UInt16 = 0x8100  // IEEE 802.1Q C-tag
  static let serviceVLAN: UInt16 = 0x88a8  // IEEE 802.1ad S-tag
  static let oldQinQ: UInt16 = 0x9100  // before 802.1ad, still sent
  static let mpls: UInt16 = 0x8847
  static let mplsMulticast: UInt16 = 0x8848
  static let pppoeSession: UInt16 = 0x8864
  /// Below this the field is an IEEE 802.3 length, and an LLC header follows.
  static let smallest: UInt16 = 0x0600

  /// What a packet of this version is announced by.
  @inline(__always)
  package static func of(_ version: IPVersion) -> UInt16 { version == .v4 ? ipv4 : ipv6 }
}
