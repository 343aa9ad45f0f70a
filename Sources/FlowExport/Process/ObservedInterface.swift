// SPDX-License-Identifier: Apache-2.0

/// An interface that packets are observed on, as the options records tell of it.
public struct ObservedInterface: Hashable, Sendable {
  /// Its ifIndex, which the Flow Records have too.
  public var index: UInt32
  public var name: String
  /// What the operator calls it (ifAlias); empty where nothing.
  public var alias: String
  /// Mbit/s; nil where nobody knows.
  public var speed: UInt32?

  public init(index: UInt32, name: String, alias: String = "", speed: UInt32? = nil) {
    (self.index, self.name, self.alias, self.speed) = (index, name, alias, speed)
  }

  /// The alias, and the speed in words: `uplink to provider, 1000 Mbit/s`. Where there is no room for both the alias is
  /// cut.
  var description: String {
    guard let speed else { return alias }
    let words = "\(speed) Mbit/s"
    guard !alias.isEmpty else { return words }
    let separator = ", "
    let room = InterfaceDescription.wireLength - words.utf8.count - separator.utf8.count
    return alias.prefix(octets: room) + separator + words
  }
}
