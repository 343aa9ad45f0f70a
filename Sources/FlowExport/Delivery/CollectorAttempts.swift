// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Where the next connection to a Collector goes: its address, or in turn those that its name has.
final class CollectorAttempts {
  private let destination: CollectorAddress
  private let context: TLSContext?
  private let resolver: NameResolver?
  private let fixed: ResolvedAddress?
  private let number: Int
  private let ownSessions: OwnSessions?
  private var count = 0
  /// Those that attempts could choose from since one went well: of a name that has others each time none is new for long.
  private var tried: [ResolvedAddress] = []

  /// - Parameter number: the session's in `ownSessions`.
  init(_ destination: CollectorAddress, _ context: TLSContext?, number: Int, ownSessions: OwnSessions?) {
    (self.destination, self.context, self.number, self.ownSessions) = (destination, context, number, ownSessions)
    switch destination.host {
    case .address(let address, let version):
      fixed = ResolvedAddress(address, version, port: destination.port)
      resolver = nil
    case .name(let name):
      fixed = nil
      resolver = NameResolver(name, port: destination.port, destination.source?.version)
    }
  }

  deinit {
    ownSessions?.set(nil, number: number)
    ownSessions?.set(nil, number: ~number)
  }

  private var addresses: [ResolvedAddress] { fixed.map { [$0] } ?? resolver?.found ?? [] }

  /// Begins a connection.
  func begin(sendBuffer: Int) throws(ExportError) -> StreamConnection {
    let addresses = addresses
    guard !addresses.isEmpty else { throw .nameWithoutAddress }
    tried += addresses.filter { !tried.contains($0) }
    // Segments of the connection before may still be on their way to those who meter.
    let place = count % 2 == 0 ? number : ~number
    defer { count += 1 }
    return try StreamConnection(
      to: addresses[count % addresses.count], from: destination, sendBuffer: sendBuffer, tls: context
    ) { ownSessions?.set($0, number: place) }
  }

  /// A connection did not come to be, or broke: the name may have another address by now.
  func noteTrouble() { resolver?.hurry() }

  /// A connection came to be.
  func noteSuccess() { tried = addresses }

  /// Whether the name has none of the addresses any more that were tried.
  var hasMoved: Bool {
    let addresses = addresses
    return !addresses.isEmpty && addresses.allSatisfy { !tried.contains($0) }
  }

  /// Whether the name has other addresses now.
  func hasMoved(from address: ResolvedAddress) -> Bool {
    let addresses = addresses
    return !addresses.isEmpty && !addresses.contains(address)
  }

  /// The first address, in words.
  var text: String { addresses.first.map { $0.address.text($0.version) } ?? "" }
}
