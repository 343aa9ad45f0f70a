// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Conversations whose Flow Keys somebody chose who would have them collide, and who knows all but the table's seed.
struct ChosenKeys {
  let name: String
  let conversations: [Conversation]

  private init(_ name: String, _ count: Int, _ choose: (UInt32, inout Conversation) -> Void) {
    self.name = name
    conversations = (0..<UInt32(count)).map { number in
      var conversation = Self.first
      choose(number, &conversation)
      return conversation
    }
  }

  /// Where numbers begin: 10.0.0.1 to 172.16.0.1, from port 1024 to 443.
  private static var first: Conversation {
    var conversation = Conversation(number: 0, .ipv4)
    (conversation.source, conversation.destination) = (0x0a00_0001, 0xac10_0001)
    (conversation.sourcePort, conversation.destinationPort, conversation.classOfService) = (1024, 443, 0)
    return conversation
  }

  /// Without any choice: what the others are held against.
  static func random(_ count: Int, isIPv6: Bool = false) -> ChosenKeys {
    var random = SplitMix(seed: 11)
    return ChosenKeys("random", count) { _, conversation in
      (conversation.source, conversation.destination) = (random.next(), random.next())
      (conversation.sourcePort, conversation.destinationPort) = (random.next(), random.next())
      conversation.isIPv6 = isIPv6
    }
  }

  static func sequentialAddresses(_ count: Int, isIPv6: Bool = false) -> ChosenKeys {
    ChosenKeys("one address behind the other\(isIPv6 ? ", IPv6" : "")", count) { number, conversation in
      conversation.source += number
      conversation.isIPv6 = isIPv6
    }
  }

  /// Both ports count, as of a scan.
  static func sequentialPorts(_ count: Int) -> ChosenKeys {
    ChosenKeys("one port behind the other", count) { number, conversation in
      conversation.sourcePort = UInt16(truncatingIfNeeded: number)
      conversation.destinationPort = UInt16(number >> 16)
    }
  }

  // MARK: What collides where a hash has no secret

  static func sameXor(_ count: Int) -> ChosenKeys {
    let keys = ChosenKeys("both addresses have the same xor", count) { number, conversation in
      conversation.source += number
      conversation.destination = conversation.source ^ 0xa610_0000
    }
    keys.requireOne { UInt64($0.source ^ $0.destination) }
    return keys
  }

  static func sameSum(_ count: Int) -> ChosenKeys {
    let keys = ChosenKeys("both addresses have the same sum", count) { number, conversation in
      conversation.source += number
      conversation.destination -= number
    }
    keys.requireOne { UInt64($0.source) + UInt64($0.destination) }
    return keys
  }

  /// The ports are what brings the CRC of the addresses to the same value: its last four octets can always do that.
  static func sameCRC(_ count: Int) -> ChosenKeys {
    let keys = ChosenKeys("addresses and ports have the same CRC-32", count) { number, conversation in
      conversation.source += number
      let ports = crc(crc(~0, conversation.source), conversation.destination) ^ 0x5eed_5eed
      conversation.sourcePort = UInt16(truncatingIfNeeded: ports).byteSwapped
      conversation.destinationPort = UInt16(ports >> 16).byteSwapped
    }
    keys.requireOne {
      let ports = UInt32($0.sourcePort) << 16 | UInt32($0.destinationPort)
      return UInt64(crc(crc(crc(~0, $0.source), $0.destination), ports))
    }
    return keys
  }

  /// A weak hash of all keys is one value.
  private func requireOne(_ weakHash: (Conversation) -> UInt64) {
    precondition(Set(conversations.map(weakHash)).count == 1, "\(name): the keys do not collide")
  }

  /// Takes a CRC-32 (that of Ethernet) on by a word as it lies in the packet.
  private static func crc(_ before: UInt32, _ word: UInt32) -> UInt32 {
    var crc = before ^ word.byteSwapped
    for _ in 0..<32 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
    return crc
  }

  // MARK: What collides where the seed was guessed

  /// Keys that a table with this seed looks up from one place of its index, in each of its stripes.
  static func aimed(atSeed seed: UInt64, _ count: Int) -> ChosenKeys {
    // Places of tables with so few keys have fewer bits.
    let bits = 10
    var configuration = FlowTable.Configuration()
    (configuration.hashSeed, configuration.indexSize) = (seed, 1 << 22)
    let table = try! FlowTable(configuration)
    let places = table.statistics.indexEntries / table.stripeCount
    var batch = PacketBatch()
    var (frame, record, next) = (Frame(), FlowRecord(), first)
    return ChosenKeys("one place of the index by seed \(seed)", count) { _, conversation in
      repeat {
        next.source += 1
        frame.write(next, length: 60, serial: 0)
        batch.reset(at: nil)
        frame.append(to: &batch, at: TablePass.time(0))
        record.key = batch[0].key
      } while table.bucket(of: record) >= UInt64(places >> bits)
      conversation = next
    }
  }
}
