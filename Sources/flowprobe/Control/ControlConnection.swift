// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands buffers of ours to recv and send.

internal import FlowMeter
internal import Glibc

/// One client of the control socket: its request is read, then its answer is made and written, a part at a time and
/// never waiting. Belongs to the control thread.
final class ControlConnection {
  /// How long the request may take; milliseconds.
  static let requestPatience: Int64 = 10_000
  /// How long the client may leave the answer where it is: it may be a person who reads.
  static let answerPatience: Int64 = 300_000
  /// How long nothing has come or gone of one that has to make room for another.
  static let leastIdleness: Int64 = 1000

  private enum Progress { case request, answer, done }

  private let client: ControlClientSocket
  private let commands: ControlCommands
  /// When something came or went last.
  private(set) var lastProgress: Timestamp
  private var progress = Progress.request
  private var request: [UInt8] = []
  private var answer: ControlAnswer?
  /// What is to be written; the first `written` octets have been.
  private var output: [UInt8] = []
  private var written = 0

  /// - Parameter now: by the monotonic clock.
  init(_ client: ControlClientSocket, _ commands: ControlCommands, at now: Timestamp) {
    (self.client, self.commands) = (client, commands)
    lastProgress = now
  }

  deinit { close(client.descriptor) }

  var descriptor: Int32 { client.descriptor }

  /// What to poll for; 0: there is work without waiting.
  var awaited: Int16 {
    if progress == .request { return Int16(POLLIN) }
    return written < output.count ? Int16(POLLOUT) : 0
  }

  /// When it is closed if nothing happens.
  var deadline: Timestamp {
    lastProgress.advanced(byMilliseconds: progress == .request ? Self.requestPatience : Self.answerPatience)
  }

  /// Does what can be done without waiting, a little of it. False when the connection is to be closed.
  func advance(at now: Timestamp) -> Bool {
    switch progress {
    case .request: return read(at: now)
    case .answer, .done:
      if written == output.count {
        guard progress == .answer else { return false }
        makeNextPart()
        // Making it is progress too.
        lastProgress = now
      }
      return write(at: now)
    }
  }

  private func read(at now: Timestamp) -> Bool {
    let count = unsafe withUnsafeTemporaryAllocation(byteCount: ControlCommand.mostOctets, alignment: 1) { buffer in
      let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count > 0 { unsafe request.append(contentsOf: buffer[..<count]) }
      return count
    }
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    if let end = request.firstIndex(of: UInt8(ascii: "\n")), end < ControlCommand.mostOctets {
      begin(String(decoding: request[..<end], as: UTF8.self), at: now)
    } else if request.count >= ControlCommand.mostOctets {
      refuse("cannot read the request: it has more than \(ControlCommand.mostOctets) octets; ask for less at a time")
    } else if count == 0 {
      // Who has closed without a word wants none.
      guard !request.isEmpty else { return false }
      begin(String(decoding: request, as: UTF8.self), at: now)
    }
    return true
  }

  private func begin(_ request: String, at now: Timestamp) {
    lastProgress = now
    do throws(ControlRefusal) {
      answer = try commands.answer(request, mayChange: client.mayChange)
      output = Array(ControlCommand.success.utf8)
      progress = .answer
    } catch {
      refuse(error.reason)
    }
  }

  private func refuse(_ reason: String) {
    output = Array("\(ControlCommand.failure)\(String(reason.map { $0.isNewline ? " " : $0 }))\n".utf8)
    progress = .done
  }

  private func makeNextPart() {
    output.removeAll(keepingCapacity: true)
    written = 0
    if let text = answer?.next() {
      output.append(contentsOf: text.utf8)
    } else {
      output.append(contentsOf: ControlCommand.end.utf8)
      progress = .done
    }
  }

  private func write(at now: Timestamp) -> Bool {
    guard written < output.count else { return true }
    let count = unsafe output.withUnsafeBytes {
      unsafe send(descriptor, $0.baseAddress! + written, $0.count - written, Int32(MSG_NOSIGNAL))
    }
    guard count > 0 else { return errno == EAGAIN || errno == EINTR }
    written += count
    lastProgress = now
    return true
  }
}
