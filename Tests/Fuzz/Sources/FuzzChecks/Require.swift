// SPDX-License-Identifier: Apache-2.0

/// Traps where a rule is broken, and says which: in a release build a precondition would say nothing.
public func require(
  _ holds: Bool, _ breach: StaticString, file: StaticString = #fileID, line: UInt = #line
) {
  guard holds else { fatalError("\(breach)", file: file, line: line) }
}
