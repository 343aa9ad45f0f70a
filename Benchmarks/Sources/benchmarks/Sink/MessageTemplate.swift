// SPDX-License-Identifier: Apache-2.0

/// What the sink has to know of a template: where in a record it finds what it counts.
struct MessageTemplate {
  /// Who gave it which number.
  struct Name: Hashable {
    var version: Int
    var domain: Int
    var id: Int
  }

  struct Place {
    var offset = 0
    /// 0: the record has no such field.
    var length = 0
  }

  var isOptions: Bool
  private(set) var length = 0
  private(set) var octets = Place()
  private(set) var packets = Place()
  private(set) var source = Place()
  private(set) var end = Place()
  private(set) var endReason = Place()

  init(isOptions: Bool) { self.isOptions = isOptions }

  /// Adds the next field. The numbers are IANA's, which are NetFlow v9's too.
  mutating func append(element: Int, length fieldLength: Int) {
    let place = Place(offset: length, length: fieldLength)
    switch element {
    case 1: octets = place  // octetDeltaCount
    case 2: packets = place  // packetDeltaCount
    case 8: source = place  // sourceIPv4Address
    case 136: endReason = place  // flowEndReason
    case 153: end = place  // flowEndMilliseconds
    default: break
    }
    length += fieldLength
  }
}
