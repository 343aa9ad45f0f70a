// SPDX-License-Identifier: Apache-2.0

internal import CSystem
internal import FlowMeter

/// What a meter was offered, and what it made of it.
struct LiveResult {
  var offered: FlowTotals
  /// Packets a second.
  var offeredRate: Double
  var peer: PeerResult

  /// The share of the offered packets that no flow record tells of.
  var lostShare: Double { 1 - Double(min(metered, offered.packets)) / Double(max(1, offered.packets)) }
  var metered: UInt64 { peer.totals?.packets ?? 0 }
  /// CPU time for each packet that was metered.
  var nanoseconds: Double { peer.cost.cpuNanoseconds / Double(metered) }
}

/// Packets sent to a meter that runs meanwhile. The sender and the sink share one processor, the meter has another.
final class LiveTrial {
  let network: any TestNetwork
  private var sender: PacketSender

  init(_ network: any TestNetwork, _ frames: consuming FrameList) throws(BenchmarkError) {
    self.network = network
    sender = try PacketSender(frames, interface: network.outlet, in: network.sender)
  }

  /// Has the calling thread, which sends and counts, keep to its processor while it does this.
  static func onItsProcessor(_ body: () throws(BenchmarkError) -> Void) throws(BenchmarkError) {
    let usual = csystem_processors()
    csystem_set_processors(Processors.sender)
    defer { csystem_set_processors(usual) }
    try body()
  }

  /// Starts a meter, which runs when this returns.
  func start(_ peer: Peer, watching watched: UInt64? = nil) throws(BenchmarkError) -> PeerRun {
    let processors = peer.isParallel ? Processors.parallelMeter : Processors.meter
    let run = try PeerRun(
      peer, input: network.input, socket: network.socket, watching: watched,
      in: ChildProcess.Place(network: network.meter, processors: processors))
    try run.wait(seconds: peer.startSeconds)
    return run
  }

  /// Sends packets to it, and says what it was offered and in how many seconds.
  ///
  /// - Parameter look: done every 50 ms.
  func send(
    to run: PeerRun, rate: Double, seconds: Double, look: () -> Void = {}
  ) throws(BenchmarkError) -> (offered: FlowTotals, seconds: Double) {
    sender.begin(rate: rate / Double(network.copies), seconds: seconds)
    var nextLook = Clock.nanoseconds
    while try sender.send() {
      network.socket.receive(forMilliseconds: 0)
      let now = Clock.nanoseconds
      guard now >= nextLook else { continue }
      nextLook = now + 50_000_000
      guard try run.look(waitingMilliseconds: 0) else { throw BenchmarkError("it ended; it said: \(run.output)") }
      look()
    }
    let copies = UInt64(network.copies)
    return (
      FlowTotals(packets: sender.sent.packets * copies, octets: sender.sent.octets * copies), sender.seconds
    )
  }

  /// Waits until it has nothing left to read: first as long as buffers may wait to be full, then until it rests.
  func settle(_ run: PeerRun) throws(BenchmarkError) {
    try run.wait(seconds: 1.5)
    var before = run.process.nanoseconds
    for _ in 0..<40 {
      try run.wait(seconds: 0.3)
      let now = run.process.nanoseconds
      if now - before < 20_000_000 { return }
      before = now
    }
  }

  /// All of it.
  ///
  /// - Parameter rate: packets a second that the meter is offered; 0 is as fast as it goes.
  func run(_ peer: Peer, rate: Double, seconds: Double) throws(BenchmarkError) -> LiveResult {
    let run = try start(peer)
    run.beginCounting()
    let sent = try send(to: run, rate: rate, seconds: seconds)
    try settle(run)
    try run.stop()
    var result = LiveResult(
      offered: sent.offered, offeredRate: Double(sent.offered.packets) / sent.seconds, peer: try run.result())
    let (missing, told) = (sent.offered.packets - min(result.metered, sent.offered.packets), run.toldLosses)
    if let told, told != missing { result.peer.remark += "\(missing) missing, it says \(told)" }
    return result
  }
}

/// Who runs where: bit by bit, of those that this program may use.
enum Processors {
  private static let usable: [UInt64] = (0..<64).map { 1 << $0 }.filter { csystem_processors() & $0 != 0 }

  static var count: Int { usable.count }
  static var meter: UInt64 { usable[0] }
  static var sender: UInt64 { usable.count > 1 ? usable[1] : usable[0] }
  /// A meter's with two threads; with fewer than three processors it has to do with one.
  static var parallelMeter: UInt64 { usable.count > 2 ? usable[0] | usable[2] : usable[0] }
}
