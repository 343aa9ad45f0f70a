// SPDX-License-Identifier: Apache-2.0

extension Duration {
  /// Rounded towards zero.
  package var milliseconds: Int64 { Int64(self / .milliseconds(1)) }

  /// The same for poll(2) and its kind: at most some 24 days.
  package var wholeMilliseconds: Int32 { Int32(clamping: milliseconds) }
}
