// SPDX-License-Identifier: Apache-2.0

internal import CSystem
internal import Glibc

/// A network of its own, without a name: it goes, with all its interfaces, when this program does, however that ends.
final class NetworkNamespace {
  private static let own = "/proc/thread-self/ns/net"

  let descriptor: Int32

  init() throws(BenchmarkError) {
    let home = try Self.open()
    defer { close(home) }
    guard csystem_leave_network() == 0 else { throw BenchmarkError(cannot: "make a network namespace") }
    defer { csystem_enter_network(home) }
    descriptor = try Self.open()
    // Neighbours' questions and routers' answers would be packets that nobody sent on purpose.
    try Self.write("net/ipv6/conf/all/disable_ipv6", "1")
    try Self.write("net/ipv6/conf/default/disable_ipv6", "1")
    try Command.run("ip", ["link", "set", "lo", "up"])
  }

  deinit { close(descriptor) }

  /// What another process calls it, as for `ip link set … netns`.
  var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  /// Does it there: sockets that are opened and programs that are started there stay there.
  func perform<Result>(_ body: () throws(BenchmarkError) -> Result) throws(BenchmarkError) -> Result {
    let home = try Self.open()
    defer { close(home) }
    guard csystem_enter_network(descriptor) == 0 else { throw BenchmarkError(cannot: "enter a network namespace") }
    defer { csystem_enter_network(home) }
    return try body()
  }

  /// Runs a program there to its end, and says what it printed.
  @discardableResult
  func run(_ name: String, _ words: String) throws(BenchmarkError) -> String {
    try perform { () throws(BenchmarkError) in try Command.run(name, words.split(separator: " ").map(String.init)) }
  }

  /// Sets what is below /proc/sys there.
  func set(_ name: String, _ value: String) throws(BenchmarkError) {
    try perform { () throws(BenchmarkError) in try Self.write(name, value) }
  }

  private static func open() throws(BenchmarkError) -> Int32 {
    let descriptor = unsafe Glibc.open(own, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BenchmarkError(cannot: "open '\(own)'") }
    return descriptor
  }

  private static func write(_ name: String, _ value: String) throws(BenchmarkError) {
    try Files.write(value, to: "/proc/sys/\(name)")
  }
}
