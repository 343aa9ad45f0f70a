// SPDX-License-Identifier: Apache-2.0

/// Two hosts that talk: what the headers of their packets have in common.
///
/// Everything follows from its number: whoever knows the number can write the packet, and no two numbers below 2²⁴
/// share a Flow Key.
struct Conversation {
  var source: UInt32
  var destination: UInt32
  var sourcePort: UInt16
  var destinationPort: UInt16
  var protocolNumber: UInt8
  var isIPv6: Bool
  var classOfService: UInt8

  enum Mixture {
    /// 85 % IPv4, 15 % IPv6; 70 % TCP, 27 % UDP, 3 % ICMP.
    case mixed
    /// The same of IPv4 alone.
    case mixedIPv4
    /// All of one version, TCP.
    case ipv4, ipv6
    /// IPv4 and TCP from scattered sources to one host and port.
    case flood
  }

  private static let services: [UInt16] = [443, 443, 443, 80, 53, 22, 8080, 3306]

  init(number: Int, _ mixture: Mixture) {
    var random = SplitMix(seed: UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9)
    // Multiplication by an odd number scatters the 2²⁴ addresses of 10/8 without making two alike.
    source = 0x0a00_0000 | UInt32(truncatingIfNeeded: number &* 0x9e37_79b1) & 0xff_ffff
    destination = 0xac10_0000 | UInt32(random.below(1 << 20))
    sourcePort = UInt16(1024 + random.below(64_000))
    destinationPort = Self.services[random.below(Self.services.count)]
    classOfService = random.below(20) == 0 ? 0x2e << 2 : 0
    (isIPv6, protocolNumber) = (mixture == .ipv6, 6)
    switch mixture {
    case .mixed, .mixedIPv4:
      isIPv6 = random.below(100) < 15 && mixture == .mixed
      let share = random.below(100)
      protocolNumber = share < 70 ? 6 : share < 97 ? 17 : isIPv6 ? 58 : 1
    case .flood:
      (destination, destinationPort, classOfService) = (0xac10_0001, 80, 0)
    case .ipv4, .ipv6: break
    }
  }

  /// The network that long-lived conversations come from: 192.0.2.0/24, by the fourth octet below ``longLivedCount``.
  static let longLivedNetwork: UInt64 = 0xc0_0002
  static let longLivedCount = 200

  /// One of those that go on whatever else happens, between hosts that no other has.
  static func longLived(_ number: Int) -> Conversation {
    var conversation = Conversation(number: number, .ipv4)
    conversation.source = UInt32(longLivedNetwork) << 8 | UInt32(number)
    (conversation.destination, conversation.classOfService) = (0xc633_6401, 0)
    return conversation
  }
}
