// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates or throws an existential; the clock is read once a datagram.
//
// Unsafe: owns the memory that datagrams are received into; what lies there is read as a span of the length that the
// kernel gave.

public import FlowMeter
internal import Glibc

/// The packets that rules send to an NFLOG group: `iptables -j NFLOG --nflog-group`, nft's `log group`.
///
/// The kernel gathers packets into a netlink message until that is full, holds ``Configuration/threshold`` of them or
/// ``Configuration/timeout`` has passed. Each packet brings its interfaces, its hook and a number, whose gaps tell
/// exactly how many packets the kernel had to drop.
///
/// What the addresses of a packet are depends on where in the chains the rule stands: before or after translation.
@safe public final class NFLogSource: PacketSource {
  /// How the kernel gathers packets for the group.
  public struct Configuration: Sendable {
    /// How much of a packet the kernel copies. Octets; default 160: every header that is decoded; 64 to 65 531.
    /// Octets are counted by the IP header, whatever is copied. A rule's `--nflog-size` may make it less.
    public var copyLength = 160
    /// How many packets fill a message. Default 256; at least 1. A rule's `--nflog-threshold` may make it less; at 1,
    /// a message for every packet, a router can forward half as much.
    public var threshold = 256
    /// How long a part-filled message waits. Default 100 ms; at most a second; the kernel counts in hundredths of one.
    public var timeout: Duration = .milliseconds(100)
    /// The room for a message. Octets; default 32 000; 4096 to 131 072. The kernel allocates it whole, and reckons it
    /// against the socket's buffer whole: what a hundred packets take in eight pages is cheap to have.
    public var messageSize = 32_000
    /// The socket's buffer. Octets; default 64 MiB. Beyond the system's limit (net.core.rmem_max) it takes CAP_NET_ADMIN
    /// in the machine's own user namespace: see ``NFLogSource/grantedBuffer``.
    public var bufferSize = 64 << 20
    /// What of a packet is recorded beside what every Flow has and the ports of a bridge. Default: nothing.
    public var details = RecordedDetails()

    public init() {}
  }

  /// The largest datagram: a message, or one packet of the largest copy.
  static let mostOctets = 256 << 10

  public let name: String
  private let group: NFLogGroup
  private let clock: MeteringClock

  private let buffer: UnsafeMutableRawBufferPointer
  private var reader: NFLogReader
  private var reading: LiveClock
  /// At 300 000 packets a second 4 ms take 30 % off the CPU time of a packet, against waking for each message.
  private var waiting = GatheringWait(gathering: 4)

  /// Binds the group.
  ///
  /// - Parameter translations: shown the connections of translated packets, where the kernel attaches them. Default nil:
  ///   it is not asked to, since that takes the router time for every packet, and conntrack's events tell the same.
  public init(
    group number: UInt16, _ configuration: Configuration, clock: MeteringClock, translations: NATTable? = nil
  ) throws(CaptureError) {
    name = "nflog:\(number)"
    self.clock = clock
    reading = clock.reading()
    reader = NFLogReader(details: configuration.details, translations)
    holdTime = configuration.timeout + .milliseconds(200)
    group = try NFLogGroup(number: number, configuration, wantsConntrack: translations != nil)
    unsafe buffer = .allocate(byteCount: Self.mostOctets, alignment: 64)
  }

  deinit { unsafe buffer.deallocate() }

  public func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome {
    if reader.isAtEnd {
      var length = unsafe group.receive(into: buffer)
      if length == -Int(EAGAIN), batch.count == 0 {
        waiting.wait(for: group.descriptor, timeout)
        length = unsafe group.receive(into: buffer)
      }
      // The kernel found no room in the socket's buffer; how much was lost, the next packet's number tells.
      if length == -Int(ENOBUFS) { reader.losses.noteOverrun() }
      guard length > 0 else { return .more }
      reader.begin(octets: unsafe min(length, buffer.count))
      reading = clock.reading()
    }
    let datagram = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<reader.octets]))
    reader.read(datagram, at: reading, into: &batch)
    return .more
  }

  /// What the kernel gave of ``Configuration/bufferSize``. Octets.
  public var grantedBuffer: Int { group.grantedBuffer }

  public let holdTime: Duration

  public func drops() -> CaptureDrops { CaptureDrops(kernel: reader.losses.packets) }
}
