// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// One run of a program under measure: from an empty folder to what it exported.
final class PeerRun {
  private static let drainMilliseconds: Int32 = 100

  let peer: Peer
  private(set) var process: MeterProcess
  private let run: Peer.Run
  private let folder: TemporaryFolder
  private let socket: CollectorSocket
  private let place: ChildProcess.Place
  private var isRunning = true

  init(
    _ peer: Peer, input: String, socket: CollectorSocket, watching network: UInt64? = nil,
    in place: ChildProcess.Place = ChildProcess.Place()
  ) throws(BenchmarkError) {
    (self.peer, self.socket, self.place) = (peer, socket, place)
    folder = try TemporaryFolder()
    run = Peer.Run(input: input, folder: try folder.makeFolder("run"), port: socket.port)
    if let configuration = peer.configuration { try Files.write(configuration(run), to: run.configuration) }
    socket.reset(watching: network)
    process = try MeterProcess(peer.path, peer.arguments(run), log: "\(folder.path)/log", in: place)
  }

  deinit { if isRunning { process.kill() } }

  /// What the program wrote into its folder.
  func file(_ name: String) -> String? { Files.read("\(run.folder)/\(name)") }

  /// The packets that flowprobe says it has not exported; nil of other programs.
  var toldLosses: UInt64? { peer.name.hasPrefix(Peer.flowprobe) ? FlowprobeStatistics(self).lostPackets : nil }

  /// What it printed, if that is not too much.
  var output: String { process.output }

  /// Takes what it sent, and looks after it; false when it has ended.
  func look(waitingMilliseconds: Int32) throws(BenchmarkError) -> Bool {
    try Interruption.check()
    socket.receive(forMilliseconds: waitingMilliseconds)
    isRunning = try process.look()
    return isRunning
  }

  /// Goes on for so long.
  ///
  /// - Throws: it has ended, and should not have.
  func wait(seconds: Double) throws(BenchmarkError) {
    let end = Clock.seconds + seconds
    while Clock.seconds < end {
      guard try look(waitingMilliseconds: 20) else { throw BenchmarkError("it ended; it said: \(output.suffix(300))") }
    }
  }

  func beginCounting() { process.beginCounting() }

  /// Has it end in good order, and waits until it has; after half a minute it is ended in bad order.
  func stop() throws(BenchmarkError) {
    if let command = peer.stopCommand?(run), let path = ChildProcess.find(command[0]) {
      process.willStop()
      let child = try ChildProcess(path, Array(command.dropFirst()), log: "\(folder.path)/stop", in: place)
      _ = child.waitForEnd()
    } else {
      process.stop(peer.stopSignal)
    }
    let end = Clock.seconds + 30
    while try look(waitingMilliseconds: 10) {
      guard Clock.seconds > end else { continue }
      process.kill()
      isRunning = false
      throw BenchmarkError("it did not end within 30 seconds")
    }
  }

  /// What it made of the packets, when it has ended.
  func result() throws(BenchmarkError) -> PeerResult {
    var result = PeerResult(cost: process.cost)
    switch peer.output {
    case .socket:
      socket.drain(quietMilliseconds: Self.drainMilliseconds)
      (result.totals, result.remark) = (socket.counter.totals, socket.remark)
    case .nfdumpFiles: result.totals = try nfdumpTotals()
    case .lines(let name): result.totals = FlowTotals(packets: Files.lineCount("\(run.folder)/\(name)"))
    case .words: result.totals = process.printedNumber("packets").map { FlowTotals(packets: $0) }
    case .none: break
    }
    return result
  }

  /// What nfdump says of the files.
  private func nfdumpTotals() throws(BenchmarkError) -> FlowTotals? {
    let text = try Command.run("nfdump", ["-R", run.folder, "-I"])
    func number(_ name: String) -> UInt64? {
      for line in text.split(separator: "\n") where line.hasPrefix(name + ": ") {
        return UInt64(line.dropFirst(name.count + 2))
      }
      return nil
    }
    guard let flows = number("Flows"), let packets = number("Packets"), let octets = number("Bytes") else { return nil }
    return FlowTotals(flows: flows, packets: packets, octets: octets)
  }
}

/// What a program made of the packets of a run.
struct PeerResult {
  var cost: MeterProcess.Cost
  /// What it exported, or said; nil where that cannot be read.
  var totals: FlowTotals?
  /// What is to be said of it, mostly nothing.
  var remark = ""
}
