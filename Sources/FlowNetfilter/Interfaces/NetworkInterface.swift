// SPDX-License-Identifier: Apache-2.0

/// A network interface as the kernel knows it.
public struct NetworkInterface: Hashable, Sendable {
  /// The ifIndex; never 0.
  public var index: UInt32
  /// As `ip link` shows it.
  public var name: String
  /// What the operator calls it (`ip link set … alias`, SNMP's ifAlias); empty where nothing.
  public var alias: String
  /// Other names that it goes by (`ip link property add … altname`).
  public var alternativeNames: [String]
  /// Mbit/s; nil where nobody knows.
  public var speed: UInt32?

  public init(index: UInt32, name: String, alias: String = "", alternativeNames: [String] = [], speed: UInt32? = nil) {
    (self.index, self.name, self.alias) = (index, name, alias)
    (self.alternativeNames, self.speed) = (alternativeNames, speed)
  }
}
