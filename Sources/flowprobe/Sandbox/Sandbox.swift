// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// What the program takes from itself beside rights: files by Landlock, system calls by seccomp.
///
/// ``begin(_:port:)`` comes before the first thread, since Landlock holds for threads that are started later;
/// ``complete()`` when the program is who it stays, since that takes calls that are never made again. Where the kernel
/// has one of them not, the other holds, and ``summary`` says so.
struct Sandbox {
  /// What there is of one of the two.
  enum State: Hashable {
    case active(String)
    case missing(String, String)

    var text: String {
      switch self {
      case .active(let name): name
      case .missing(let name, let reason): "no \(name) (\(reason))"
      }
    }
  }

  private(set) var landlock: State
  private(set) var seccomp = State.missing("seccomp", "not yet")

  /// Confines the program to files.
  init(_ access: FileAccess, port: UInt16?) {
    let version = Landlock.kernelVersion
    landlock = Self.landlock(version: version)
    guard version > 0 else { return }
    do throws(SystemError) {
      try Landlock(access, port: port, version: version).begin()
    } catch {
      landlock = .missing("Landlock", error.description)
    }
  }

  /// Confines the program to system calls.
  mutating func complete() {
    do throws(SystemError) {
      try SystemCallFilter(process: getpid()).install()
      seccomp = .active("seccomp")
    } catch {
      seccomp = .missing("seccomp", error.description)
    }
  }

  /// What holds, in a few words.
  var summary: String { Self.summary([seccomp, landlock]) }

  /// What would hold.
  static var outlook: String {
    summary([
      SystemCallFilter.isAvailable ? .active("seccomp") : .missing("seccomp", "the kernel has none"),
      landlock(version: Landlock.kernelVersion),
    ])
  }

  /// What is told of a program without.
  static let absence = "no sandbox (--no-sandbox)"

  private static func summary(_ states: [State]) -> String {
    (["no_new_privs"] + states.map(\.text)).joined(separator: ", ")
  }

  private static func landlock(version: Int) -> State {
    version > 0 ? .active("Landlock (ABI \(version))") : .missing("Landlock", "the kernel has none")
  }
}
