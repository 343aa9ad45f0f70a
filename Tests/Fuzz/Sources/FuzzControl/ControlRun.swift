// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: a pair of sockets of ours, and memory of ours that they read and write.

internal import FlowMeter
internal import FuzzChecks
internal import Glibc
@testable internal import flowprobe

/// One input of fuzz-control: what a client sends, in parts, or what others read that flowprobe tells.
///
///     octet 0       bits 0 and 1 what the rest is:
///       0, 1        a request, of which bits 2 to 7 + 1 octets come at a time; 0 of a client that may not change anything
///       2           metrics, as 'flowprobe top' reads them, and behind a zero an answer to 'top'
///       3           lines of snmpd's, and behind two zeros the statistics files that they are answered from
struct ControlRun {
  private let kind: UInt8
  private let octets: [UInt8]

  init(_ octets: UnsafeRawBufferPointer) {
    kind = unsafe octets.first ?? 0
    self.octets = unsafe Array(octets.dropFirst())
  }

  func run() {
    switch kind & 3 {
    case 2: show()
    case 3: answerManager()
    default: answer()
    }
  }

  // MARK: Requests

  private static let table: FlowTable = {
    guard let table = try? FlowTable() else { fatalError("there is no memory for a table") }
    var batch = PacketBatch(hashSeed: 1)
    for port in UInt8(0)..<9 {
      let packet: [UInt8] =
        [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1] + [0, port, 0, 53, 0, 8, 0, 0]
      let time = Timestamp(milliseconds: 1000)
      batch.append(packet.span.bytes, CaptureMetadata(time: time, wireLength: packet.count, linkType: .raw))
    }
    table.update(batch)
    return table
  }()

  private static let commands = ControlCommands([
    ControlCommand(name: "plain", summary: "Takes no words.") { _ in ControlAnswer("plain") },
    ControlCommand(name: "top", words: TalkersQuery.words, summary: "Talkers.") { words throws(ControlRefusal) in
      let query = try TalkersQuery(words)
      require((try? TalkersQuery(query.request.split(separator: " ").dropFirst().map { $0 })) == query, "another query")
      return ControlAnswer(TalkersVisit(query, in: table) { Timestamp(milliseconds: 2000) }.next)
    },
    ControlCommand(name: "set", words: "NAME VALUE", summary: "A setting.", isChange: true) {
      words throws(ControlRefusal) in
      do throws(ChangeRefusal) {
        return ControlAnswer(try Setting.named(words.first ?? "").option)
      } catch {
        throw ControlRefusal(reason: error.description)
      }
    },
  ])

  /// Every request is answered by one whole answer, or by one line that says why not, and then nothing waits.
  private func answer() {
    var ends: (Int32, Int32) = (-1, -1)
    let made = unsafe withUnsafeMutablePointer(to: &ends) {
      unsafe $0.withMemoryRebound(to: Int32.self, capacity: 2) {
        unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, $0)
      }
    }
    require(made == 0, "no sockets")
    let now = Timestamp(milliseconds: 0)
    var (rest, reader, text, goesOn) = (octets[...], AnswerReader(), [UInt8](), true)
    do {
      let connection = ControlConnection(ControlClientSocket(descriptor: ends.0), Self.commands, at: now)
      var (rounds, isClosed) = (0, false)
      while goesOn {
        if !rest.isEmpty {
          let part = Array(rest.prefix(Int(kind >> 2) + 1))
          let count = unsafe send(ends.1, part, part.count, Int32(MSG_NOSIGNAL))
          rest = rest.dropFirst(max(0, count))
          if count < 0 { rest = [] }
        } else if !isClosed {
          isClosed = true
          shutdown(ends.1, Int32(SHUT_WR))
        }
        goesOn = connection.advance(at: now)
        text += reader.take(Self.received(ends.1))
        rounds += 1
        require(rounds < 100_000, "an answer without end")
      }
    }
    while case let more = Self.received(ends.1), !more.isEmpty { text += reader.take(more) }
    close(ends.1)
    require(reader.isWhole || reader.refusal != nil || octets.isEmpty, "an answer that is none")
    require(!reader.isWhole || text.isEmpty || text.last == UInt8(ascii: "\n"), "a text that does not end its line")
  }

  private static func received(_ descriptor: Int32) -> [UInt8] {
    unsafe withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 1) { buffer in
      unsafe Array(buffer[..<max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))])
    }
  }

  // MARK: What others read

  private func show() {
    let parts = octets.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    let reading = MetricsReading(parts[0])
    var screen = TopScreen(reading: reading, previous: MetricsReading(""), now: Timestamp(milliseconds: 1000))
    require(!screen.head.isEmpty, "a screen without rows")
    screen.previous = reading
    require(!screen.head.isEmpty, "a screen without rows")
    _ = TopScreen.talkers(parts.count > 1 ? parts[1] : "", TalkersQuery())
  }

  /// Each answer has one line or three.
  private func answerManager() {
    let parts = octets.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) } + ["", ""]
    let tree = ObjectTree(people: parts[1], programs: parts[2], started: nil)
    for (before, after) in zip(tree.objects, tree.objects.dropFirst()) {
      require(before.name <= after.name, "objects out of their order")
    }
    var lines = parts[0].split(separator: "\n", omittingEmptySubsequences: false).map(String.init)[...]
    let manager = PassPersist { tree }
    while let answer = manager.answer({ lines.popFirst() }) {
      require(answer.hasSuffix("\n"), "an answer that does not end its line")
    }
  }
}
