// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc

@testable import FlowExport

/// A listening TCP socket on the loopback interface, as a Collector has it.
final class StreamReceiver {
  private var descriptor: Int32 = -1
  /// Keeps the port from others, also while nobody listens at it.
  private let keeper: Int32
  let address: ResolvedAddress

  /// - Parameters:
  ///   - port: 0: any that is free, and is nobody else's while this is there.
  ///   - buffer: octets that a connection may hold unread, about; nil: the system's choice.
  init?(port: UInt16 = 0, buffer: Int32? = nil) {
    let wanted = ResolvedAddress(IPAddress.parse("127.0.0.1")!.address, .v4, port: port)
    keeper = Self.bound(to: wanted)
    guard let address = ResolvedAddress(boundTo: keeper) else {
      close(keeper)
      return nil
    }
    self.address = address
    descriptor = Self.bound(to: address)
    if var buffer { unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, 4) }
    guard listen(descriptor, 8) == 0 else { return nil }
  }

  deinit {
    stop()
    close(keeper)
  }

  /// A socket that others may be bound beside; -1 where it cannot be bound.
  private static func bound(to address: ResolvedAddress) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    var on = Int32(1)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    guard unsafe address.withSocketAddress({ unsafe bind(descriptor, $0, $1) }) == 0 else {
      close(descriptor)
      return -1
    }
    return descriptor
  }

  /// Listens no longer: who connects is refused.
  func stop() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// The next connection; nil where none comes.
  func accept(within milliseconds: Int32 = 10_000) -> Connection? {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&entry, 1, milliseconds) > 0 else { return nil }
    let accepted = Glibc.accept(descriptor, nil, nil)
    return accepted < 0 ? nil : Connection(accepted)
  }

  /// The Collector's end of a connection.
  final class Connection {
    private let descriptor: Int32
    private var octets: [UInt8] = []
    private(set) var isAtEnd = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { if !isClosed { close(descriptor) } }
    private var isClosed = false

    /// Reads what comes within a time, up to so many octets, at most `most` at once.
    func read(_ count: Int = .max, most: Int = 65_536, within milliseconds: Int32 = 300) {
      defer { takeMessages() }
      var left = count
      while left > 0, !isAtEnd {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, milliseconds) > 0 else { return }
        let got = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: min(left, most)) { buffer in
          let got = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
          if got > 0 { unsafe octets.append(contentsOf: buffer[..<got]) }
          return got
        }
        if got <= 0 { isAtEnd = true }
        left -= max(0, got)
      }
    }

    /// Reads until the messages hold so many flow records, or no more comes for ten seconds.
    func read(flows: Int) { read(until: { $0.flows >= flows }) }

    func read(until isEnough: (WireCollector) -> Bool) {
      let end = Timestamp.monotonicClock().advanced(byMilliseconds: 10_000)
      while !isEnough(collector), !isAtEnd, Timestamp.monotonicClock() < end { read(within: 50) }
    }

    /// The whole messages that came.
    private(set) var messages: [[UInt8]] = []
    /// What a Collector makes of them.
    private(set) var collector = WireCollector()
    private var taken = 0

    private func takeMessages() {
      while taken + 16 <= octets.count {
        let length = octets.number(taken + 2, 2)
        guard octets.number(taken, 2) == 10, length >= 16, taken + length <= octets.count else { break }
        messages.append(Array(octets[taken..<taken + length]))
        collector.take(messages[messages.count - 1])
        taken += length
      }
    }

    /// Octets behind the last whole message.
    var rest: Int { octets.count - taken }

    /// Closes it; octets that were not read make that a reset.
    func end() {
      isClosed = true
      close(descriptor)
    }

    func say(_ text: String) {
      let octets = Array(text.utf8)
      unsafe _ = octets.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Says that nothing more is said, and goes on reading.
    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }
  }
}

/// An exporter to a Collector over TCP or TLS, and what it has told.
final class DeliveryScene {
  let exporter: CollectorExporter
  private(set) var events: [String] = []
  private var port: UInt16 = 0
  private(set) var given = FlowTotals()

  /// What the options tell of; see ``CollectorExporter/interfacesChanged()``.
  var context = ExporterContext()

  /// - Parameter isSuccessor: whether another scene has the spool still.
  init(
    _ destination: String, waitsForRoom: Bool = false, ownSessions: OwnSessions? = nil, isSuccessor: Bool = false
  ) throws {
    nonisolated(unsafe) var tell: (ExportEvent) -> Void = { _ in }
    nonisolated(unsafe) var ask: () -> ExporterContext = { ExporterContext() }
    var configuration = ExportConfiguration()
    configuration.delivery.waitsForRoom = waitsForRoom
    exporter = CollectorExporter(
      to: try ExportDestination(destination, defaults: configuration), number: 1, ownSessions: ownSessions,
      context: { unsafe ask() },
      report: { unsafe tell($0) })
    unsafe tell = { [unowned self] in events.append($0.description) }
    unsafe ask = { [unowned self] in context }
    if isSuccessor { try exporter.prepare(isSuccessor: true) }
  }

  /// A pass with so many records, each with a source port of its own as long as they last.
  func pass(_ count: Int = 0) {
    exporter.begin(at: Sample.instant)
    for start in stride(from: 0, to: count, by: 256) {
      let records = (start..<min(start + 256, count)).map { _ in
        port &+= 1
        return Sample.ipv4(.udp) { ($0.key.sourcePort, $0.packets, $0.octets) = (port, 2, 100) }
      }
      given.add(
        FlowTotals(
          flows: UInt64(records.count), packets: UInt64(2 * records.count), octets: UInt64(100 * records.count)))
      withBuffer(records) { exporter.consume($0, at: Sample.instant) }
    }
    exporter.flush(at: Sample.instant)
  }

  /// Makes empty passes until it is so, ten seconds at most. False where it has not come to that.
  func wait(until isSo: (ExportStatistics) -> Bool) -> Bool {
    let end = Timestamp.monotonicClock().advanced(byMilliseconds: 10_000)
    repeat {
      pass()
      if isSo(exporter.statistics) { return true }
      usleep(10_000)
    } while Timestamp.monotonicClock() < end
    return false
  }

  /// given + found = sent + lost + pending; nothing is filtered or not representable here.
  var isBalanced: Bool {
    let statistics = exporter.statistics
    var (before, after) = (given, statistics.sent)
    if let spool = statistics.delivery?.spool { before.add(spool.found.flows) }
    after.add(statistics.lost)
    after.add(statistics.pending)
    return before == after
  }
}

extension DeliveryScene {
  /// Gives flows of which nobody takes any, in passes that leave time to write them to the spool.
  func fill(_ flows: Int) {
    for _ in 0..<(flows / 100) {
      pass(100)
      _ = wait { $0.delivery?.queueOctets ?? 0 < 56_000 }
    }
  }

  /// A run that nobody takes anything of: all is in the spool at its end.
  static func leave(_ flows: Int, in text: String) throws {
    let scene = try DeliveryScene(text)
    scene.fill(flows)
    scene.exporter.finish(within: 5000)
  }
}
