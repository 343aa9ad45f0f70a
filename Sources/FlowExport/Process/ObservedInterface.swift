// SPDX-License-Identifier: Apache-2.0

/// An interface that packets are observed on, as the options records tell of it.
public struct ObservedInterface: Hashable, Sendable {
  /// Its ifIndex, which the Flow Records have too.
  public var index: UInt32
  /// Its name (IE 82).
  public var name: String
  /// What the operator calls it (ifAlias); empty where nothing.
  public var alias: String
  /// Mbit/s; nil where nobody knows.
  public var speed: UInt32?

  public init(index: UInt32, name: String, alias: String = "", speed: UInt32? = nil) {
    (self.index, self.name, self.alias, self.speed) = (index, name, alias, speed)
  }

  /// The alias, else the name, and the speed in words: `uplink to provider, 1000 Mbit/s`. Where there is no room for
  /// both the alias is cut.
  ///
  /// The name a second time, since there are collectors (nfdump) that show this text as the interface's name.
  var description: String {
    let title = alias.isEmpty ? name : alias
    guard let speed else { return title }
    let words = ", \(speed) Mbit/s"
    return title.prefix(octets: InterfaceDescription.wireLength - words.utf8.count) + words
  }
}
