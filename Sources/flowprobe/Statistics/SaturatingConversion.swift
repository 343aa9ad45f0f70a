// SPDX-License-Identifier: Apache-2.0

extension FixedWidthInteger {
  /// A figure without its decimals. Of one that is too large or too small the nearest number there is; 0 of none.
  init(saturating figure: Double) {
    if figure.isNaN {
      self = 0
    } else if figure >= Double(Self.max) {
      // Double(Self.max) may be rounded up, to what there is no room for.
      self = .max
    } else {
      self = figure <= Double(Self.min) ? .min : Self(figure)
    }
  }
}
