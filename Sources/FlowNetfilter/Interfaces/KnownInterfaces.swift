// SPDX-License-Identifier: Apache-2.0

internal import CNetfilter

/// The interfaces as a dump and the notifications after it tell of them.
///
/// It is shown datagrams and asks for none. Notifications that come while a dump is under way hold as they come; what the
/// dump has not told of by its end is gone. Where messages were lost, or the kernel says that interfaces changed under
/// its dump (NLM_F_DUMP_INTR), nothing is taken to be gone until another dump has come through.
struct KnownInterfaces {
  private(set) var byIndex: [UInt32: NetworkInterface] = [:]
  /// Whether only a dump can tell what is true: at the start, and when messages were lost.
  private(set) var needsDump = true
  /// The errno with which the kernel answered the last dump that it refused.
  private(set) var refusal: Int32?
  private var dump: Dump?
  private var toldOf: Set<UInt32> = []

  private struct Dump {
    var sequence: UInt32
    var present: Set<UInt32> = []
  }

  /// Whether a dump was asked for that has not come to its end.
  var isDumping: Bool { dump != nil }

  /// A dump has been asked for, whose messages will have this sequence number.
  mutating func beginDump(sequence: UInt32) {
    dump = Dump(sequence: sequence)
    (needsDump, refusal) = (false, nil)
  }

  /// Messages did not arrive, or not whole.
  mutating func messagesWereLost() { needsDump = true }

  mutating func take(_ datagram: RawSpan) {
    var cursor = NetlinkCursor(0..<datagram.byteCount)
    while let message = cursor.nextMessage(in: datagram) {
      let isOfDump = message.sequence == dump?.sequence
      if isOfDump, Int32(message.flags) & NLM_F_DUMP_INTR != 0 { needsDump = true }
      switch message.type {
      case NetlinkMessage.done, NetlinkMessage.error:
        guard isOfDump, message.payload.count >= 4 else { continue }
        endDump(message.errorNumber(in: datagram))
      default:
        if let message = LinkMessage(message, in: datagram) { take(message) }
      }
    }
  }

  private mutating func take(_ message: LinkMessage) {
    switch message {
    case .present(var interface):
      // As it was, until it has been asked for.
      interface.speed = byIndex[interface.index]?.speed
      byIndex[interface.index] = interface
      dump?.present.insert(interface.index)
      toldOf.insert(interface.index)
    case .gone(let index):
      byIndex[index] = nil
      dump?.present.remove(index)
    }
  }

  private mutating func endDump(_ result: Int32) {
    guard let dump else { return }
    self.dump = nil
    if result != 0 {
      refusal = result
      needsDump = true
    } else if !needsDump {
      byIndex = byIndex.filter { dump.present.contains($0.key) }
    }
  }

  // MARK: Speed

  /// Takes the interfaces that were told of since the last call: their speed may be another.
  mutating func takeToldOf() -> [NetworkInterface] {
    defer { toldOf.removeAll(keepingCapacity: true) }
    return toldOf.compactMap { byIndex[$0] }
  }

  mutating func setSpeed(_ speed: UInt32?, of index: UInt32) { byIndex[index]?.speed = speed }
}
