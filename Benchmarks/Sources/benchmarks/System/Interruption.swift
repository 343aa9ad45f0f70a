// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Ctrl-C, or nobody reading any more: noted, so that large files do not stay behind.
enum Interruption {
  private static let flag = Atomic<Bool>(false)

  static func prepare() {
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] {
      signal(number) { _ in Interruption.flag.store(true, ordering: .relaxed) }
    }
  }

  static var hasCome: Bool { flag.load(ordering: .relaxed) }

  /// To be called wherever something may take long.
  static func check() throws(BenchmarkError) {
    if hasCome { throw BenchmarkError("interrupted") }
  }
}
