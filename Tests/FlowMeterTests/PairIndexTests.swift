// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("The index of pairs")
struct PairIndexTests {
  @Test("a pair of ends is the same in both directions, and another with anything else another")
  func directions() {
    let tuple = NATSample.tuple("10.0.0.2", 1000, "198.51.100.2", 53)
    let pair = EndpointPair(tuple, .udp, .v4)
    #expect(EndpointPair(tuple.inverse, .udp, .v4) == pair)
    #expect(EndpointPair(tuple.inverse, .udp, .v4).hash(KeyHash(seed: 1)) == pair.hash(KeyHash(seed: 1)))
    #expect(EndpointPair(tuple, .tcp, .v4) != pair)
    #expect(EndpointPair(tuple, .udp, .v6) != pair)
    #expect(EndpointPair(NATSample.tuple("10.0.0.2", 53, "198.51.100.2", 1000), .udp, .v4) != pair)
    #expect(EndpointPair(NATSample.tuple("10.0.0.2", 1000, "198.51.100.2", 54), .udp, .v4) != pair)
    #expect(EndpointPair(NATSample.tuple("10.0.0.3", 1000, "198.51.100.2", 53), .udp, .v4) != pair)
    // One address, two ports; and one end only.
    let same = NATSample.tuple("10.0.0.2", 1000, "10.0.0.2", 53)
    #expect(EndpointPair(same, .udp, .v4) == EndpointPair(same.inverse, .udp, .v4))
  }

  @Test("ports tell pairs apart only where the protocol has them")
  func ports() {
    for number in [IPProtocol.tcp, .udp, .udpLite, .sctp, .dccp] {
      #expect(
        EndpointPair(NATSample.tuple("10.0.0.2", 1, "10.0.0.3", 2), number, .v4)
          != EndpointPair(NATSample.tuple("10.0.0.2", 1, "10.0.0.3", 3), number, .v4))
    }
    for number in [IPProtocol.icmp, .icmpv6, .esp, .igmp, IPProtocol(rawValue: 47)] {
      #expect(
        EndpointPair(NATSample.tuple("10.0.0.2", 1, "10.0.0.3", 2), number, .v4)
          == EndpointPair(NATSample.tuple("10.0.0.2", 7, "10.0.0.3", 0), number, .v4))
    }
  }

  @Test("a connection's packets show three pairs, in both directions")
  func pairs() {
    let hairpin = NATSample.hairpin
    for (source, sourcePort, destination, destinationPort) in [
      ("10.0.0.2", 1000, "203.0.113.1", 8080), ("10.0.0.2", 1000, "10.0.0.3", 80), ("10.0.0.1", 3000, "10.0.0.3", 80),
    ] as [(String, UInt16, String, UInt16)] {
      let tuple = NATSample.tuple(source, sourcePort, destination, destinationPort)
      #expect(hairpin.shows(EndpointPair(tuple, .tcp, .v4)))
      #expect(hairpin.shows(EndpointPair(tuple.inverse, .tcp, .v4)))
    }
    // Its source is translated last.
    #expect(!hairpin.shows(EndpointPair(NATSample.tuple("10.0.0.1", 3000, "203.0.113.1", 8080), .tcp, .v4)))
  }

  /// Inserts and removes at random, against a dictionary. Of hashes only so many differ, so that many collide.
  @Test(
    "under any insertions and removals each hash finds the numbers that a dictionary has",
    arguments: [(1, 7, 60), (2, 5000, 1000), (3, .max, 4000), (4, 600, 400)] as [(UInt64, UInt64, Int)])
  func model(seed: UInt64, hashes: UInt64, size: Int) {
    struct Pair: Hashable {
      var number: UInt32
      var hash: UInt64
    }
    var random = SplitMix64(state: seed)
    var index = PairIndex()
    var (model, pairs) = ([UInt64: [UInt32]](), [Pair]())
    func found(_ hash: UInt64) -> [UInt32] {
      var numbers: [UInt32] = []
      index.forEach(hash: hash) { numbers.append($0) }
      return numbers.sorted()
    }
    var wrong = 0
    for step in 0..<8 * size {
      let isGrowing = step / size % 2 == 0
      if pairs.isEmpty || Int.random(in: 0..<10, using: &random) < (isGrowing ? 8 : 3) {
        // Neighbouring hashes, so that runs are long and meet the table's end.
        let hash = hashes == .max ? random.next() : UInt64(UInt32.max) - UInt64.random(in: 0..<hashes, using: &random)
        let pair = Pair(number: UInt32.random(in: 1...50, using: &random), hash: hash)
        index.insert(pair.number, hash: pair.hash)
        model[pair.hash, default: []].append(pair.number)
        pairs.append(pair)
      } else {
        let place = Int.random(in: 0..<pairs.count, using: &random)
        pairs.swapAt(place, pairs.count - 1)
        let pair = pairs.removeLast()
        index.remove(pair.number, hash: pair.hash)
        model[pair.hash]!.remove(at: model[pair.hash]!.firstIndex(of: pair.number)!)
      }
      if let pair = pairs.randomElement(using: &random), found(pair.hash) != model[pair.hash]!.sorted() { wrong += 1 }
    }
    for (hash, numbers) in model where found(hash) != numbers.sorted() { wrong += 1 }
    #expect(wrong == 0)
    for pair in pairs { index.remove(pair.number, hash: pair.hash) }
    #expect(model.keys.allSatisfy { found($0).isEmpty })
  }
}
