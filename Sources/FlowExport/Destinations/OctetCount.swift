// SPDX-License-Identifier: Apache-2.0

/// Octets as operators write them: a number, with k, M or G behind it for powers of 1024.
enum OctetCount {
  private static let units: KeyValuePairs = ["k": 10, "M": 20, "G": 30]

  /// Nil where a text is none; k, m and g may be of either case.
  static func parse(_ text: String) -> Int? {
    let shift = units.first { $0.key.lowercased() == text.last?.lowercased() }?.value
    guard let number = Int(shift == nil ? text[...] : text.dropLast()),
      (0...(Int.max >> (shift ?? 0))).contains(number)
    else { return nil }
    return number << (shift ?? 0)
  }

  /// With the largest unit that leaves a whole number.
  static func text(_ octets: Int) -> String {
    guard octets > 0, let unit = units.last(where: { octets.trailingZeroBitCount >= $0.value }) else {
      return "\(octets)"
    }
    return "\(octets >> unit.value)\(unit.key)"
  }
}
