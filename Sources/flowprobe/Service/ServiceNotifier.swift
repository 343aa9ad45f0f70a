// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: strings' own octets, and a structure of ours.

internal import CShims
internal import FlowMeter
internal import Glibc

/// Tells the service manager how the program is, in the words of sd_notify(3): one datagram each to the socket that
/// `NOTIFY_SOCKET` names. Without that, nothing is told.
///
/// The socket is connected at the start: later the program may be another user, in another root directory. Any thread;
/// never waits.
final class ServiceNotifier: Sendable {
  /// How long the manager waits for ``watchdog()`` before it takes the program for hung (`WATCHDOG_USEC`); nil: it does
  /// not.
  let watchdogTime: Duration?
  /// -1 where nobody listens.
  private let descriptor: Int32

  /// - Parameter environment: a variable's value, nil or empty where it is not set.
  init(environment: (String) -> String? = Environment.value) {
    descriptor = environment("NOTIFY_SOCKET").map(Self.connect) ?? -1
    let isMeant = environment("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
    let microseconds = environment("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
    watchdogTime = descriptor >= 0 && isMeant && microseconds > 0 ? .microseconds(microseconds) : nil
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  var isHeard: Bool { descriptor >= 0 }

  /// Everything is open and packets are metered; also at the end of a reload.
  func ready() { tell("READY=1") }

  /// The configuration is read again; ``ready()`` follows.
  func reloading() {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    tell("RELOADING=1\nMONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)")
  }

  /// The program is on its way to its end.
  func stopping() { tell("STOPPING=1") }

  /// - Parameter text: a line for people, as `systemctl status` shows it.
  func status(_ text: String) { tell("STATUS=\(text)") }

  /// The program does its work.
  func watchdog() { tell("WATCHDOG=1") }

  private func tell(_ words: String) {
    guard descriptor >= 0 else { return }
    var words = words
    // A manager that does not listen is not waited for.
    words.withUTF8 { _ = unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
  }

  /// A socket that is connected to this one; -1 where that cannot be.
  private static func connect(to name: String) -> Int32 {
    guard name.hasPrefix("/") || name.hasPrefix("@"), name.utf8.count <= UnixAddress.mostOctets else { return -1 }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return -1 }
    guard unsafe UnixAddress(name).with({ unsafe Glibc.connect(descriptor, $0, $1) }) == 0 else {
      close(descriptor)
      return -1
    }
    return descriptor
  }
}

/// The process's environment.
enum Environment {
  /// Nil where the variable is not set, or empty.
  static func value(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }
}
