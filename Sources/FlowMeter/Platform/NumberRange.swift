// SPDX-License-Identifier: Apache-2.0

extension ClosedRange<UInt16> {
  /// A number or a range as operators write them: `5`, `1-4`. Nil where the text is neither.
  package init?(numbers text: some StringProtocol) {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
    guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last else { return nil }
    self = first...last
  }
}
