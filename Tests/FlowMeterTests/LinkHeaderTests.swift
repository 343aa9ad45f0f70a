// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import FlowMeter

@Suite("Decoding link headers")
struct LinkHeaderTests {
  struct Frame: Sendable, CustomTestStringConvertible {
    var name: String
    var linkType: LinkType
    var header: String
    var tags: [UInt16] = []
    var interface: UInt32 = 0
    var testDescription: String { name }
  }

  static let frames = [
    Frame(name: "Ethernet", linkType: .ethernet, header: "0200000000020200000000010800"),
    Frame(
      name: "802.1Q", linkType: .ethernet, header: "020000000002020000000001 8100 a064 0800", tags: [0xa064, 0]),
    Frame(
      name: "802.1ad with 802.1Q", linkType: .ethernet,
      header: "020000000002020000000001 88a8 00c8 8100 0064 0800", tags: [0x00c8, 0x0064]),
    Frame(
      name: "three tags", linkType: .ethernet,
      header: "020000000002020000000001 9100 0001 8100 0002 8100 0003 0800", tags: [1, 2]),
    Frame(
      name: "MPLS, two labels", linkType: .ethernet,
      header: "020000000002020000000001 8847 00010040 00011140"),
    Frame(
      name: "PPPoE session", linkType: .ethernet,
      header: "020000000002020000000001 8864 1100 0001 002a 0021"),
    Frame(
      name: "VLAN, PPPoE", linkType: .ethernet,
      header: "020000000002020000000001 8100 0007 8864 1100 0001 002a 0021", tags: [7, 0]),
    Frame(
      name: "802.3 with SNAP", linkType: .ethernet,
      header: "020000000002020000000001 0030 aaaa03 000000 0800"),
    Frame(
      name: "Linux cooked v1", linkType: .linuxSLL, header: "0000 0001 0006 0200000000010000 0800"),
    Frame(
      name: "Linux cooked v2", linkType: .linuxSLL2,
      header: "0800 0000 00000005 0001 00 06 0200000000010000", interface: 5),
    Frame(name: "raw IP", linkType: .raw, header: ""),
    Frame(name: "raw IPv4", linkType: .ipv4, header: ""),
    Frame(name: "PPP", linkType: .ppp, header: "ff03 0021"),
    Frame(name: "PPP, both fields compressed", linkType: .ppp, header: "21"),
    Frame(name: "PPP in serial framing, MPLS", linkType: .pppSerial, header: "ff03 0281 00011140"),
    Frame(name: "PPP with direction", linkType: .pppWithDirection, header: "00 ff03 0021"),
    Frame(name: "PPPoE alone", linkType: .pppoe, header: "1100 0001 002a 0021"),
    Frame(name: "Cisco HDLC", linkType: .ciscoHDLC, header: "0f00 0800"),
    Frame(name: "BSD loopback, little endian", linkType: .null, header: "02000000"),
    Frame(name: "BSD loopback, big endian", linkType: .null, header: "00000002"),
    Frame(name: "OpenBSD loopback", linkType: .loop, header: "00000002"),
  ]

  @Test("the IP packet is found behind every kind of link header", arguments: frames)
  func frame(_ frame: Frame) {
    let (seen, remark, failure) = decode(Packets.octets(frame.header) + Packets.tcp, frame.linkType)
    #expect(failure == nil && remark == nil)
    #expect(seen.key.destinationPort == 80)
    #expect(seen.octets == 40)
    #expect([seen.key.outerTag, seen.key.innerTag] == (frame.tags.isEmpty ? [0, 0] : frame.tags))
    #expect(seen.key.ingressInterface == frame.interface)
  }

  @Test("every truncation of a link header is counted as one", arguments: frames)
  func truncated(_ frame: Frame) {
    let header = Packets.octets(frame.header)
    for length in 0..<header.count {
      #expect(decode(Array(header[..<length]), frame.linkType).failure == .linkHeaderTruncated)
    }
  }

  @Test(
    "frames that carry no IP are told apart from broken ones",
    arguments: [
      "020000000002020000000001 0806 0001080006040001", "0180c2000000020000000001 0026 424203 0000000000",
      "020000000002020000000001 88cc 020704", "020000000002020000000001 8863 1109 0000 0004 01010000",
      "020000000002020000000001 8864 1100 0001 000a c021 01010008",
    ])
  func notIP(frame: String) {
    #expect(decode(Packets.octets(frame), .ethernet).failure == .notIP)
  }

  /// What is decoded where the source tells the EtherType of what the bytes begin with.
  private func network(
    _ etherType: UInt16, _ bytes: [UInt8], outerTag: UInt16 = 0
  ) -> (observation: PacketObservation, failure: DecodeFailure?) {
    var metadata = CaptureMetadata(
      time: Timestamp(milliseconds: 0), wireLength: bytes.count, linkType: .network, ingressInterface: 2)
    (metadata.etherType, metadata.outerTag) = (etherType, outerTag)
    var observation = PacketObservation()
    do throws(DecodeFailure) {
      _ = unsafe try PacketDecoder().decode(bytes.span.bytes, metadata, into: &observation)
      return (observation, nil)
    } catch {
      return (observation, error)
    }
  }

  @Test("a packet without a link header is what its source says it is, in the VLAN whose tag was taken off")
  func networkHeader() {
    for tag in [0, 0xa064] as [UInt16] {
      let ipv4 = network(0x0800, Packets.tcp, outerTag: tag)
      #expect(ipv4.failure == nil)
      #expect(ipv4.observation.key.destinationPort == 80)
      #expect([ipv4.observation.key.outerTag, ipv4.observation.key.innerTag] == [tag, 0])
      #expect(ipv4.observation.key.ingressInterface == 2)
      let ipv6 = network(0x86dd, Packets.udpIPv6, outerTag: tag)
      #expect(ipv6.failure == nil)
      #expect(ipv6.observation.key.destinationPort == 2000)
      #expect([ipv6.observation.key.outerTag, ipv6.observation.key.innerTag] == [tag, 0])
    }
  }

  @Test("tags that were left are the outer one where none was taken off, else the inner one")
  func networkTags() {
    let tagged = Packets.octets("0064 0800") + Packets.tcp
    #expect(network(0x8100, tagged).observation.key.outerTag == 0x64)
    #expect(network(0x8100, tagged).observation.key.innerTag == 0)
    let outer = network(0x8100, tagged, outerTag: 0x2007)
    #expect([outer.observation.key.outerTag, outer.observation.key.innerTag] == [0x2007, 0x64])
    let mpls = network(0x8847, Packets.octets("00011140") + Packets.udp)
    #expect(mpls.observation.key.destinationPort == 53)
    let pppoe = network(0x8864, Packets.octets("1100 0001 002a 0021") + Packets.udp, outerTag: 7)
    #expect(pppoe.observation.key.destinationPort == 53)
    #expect(pppoe.observation.key.outerTag == 7)
  }

  @Test("without a link header, too, what is no IP is told apart from what is cut short or of another version")
  func networkFailures() {
    #expect(network(0x0806, Packets.octets("0001080006040001")).failure == .notIP)
    #expect(network(0, Packets.tcp).failure == .notIP)
    #expect(network(0x8100, Packets.octets("0064 08")).failure == .linkHeaderTruncated)
    #expect(network(0x86dd, Packets.tcp).failure == .ipVersion)
    #expect(network(0x0800, Packets.udpIPv6).failure == .ipVersion)
    #expect(network(0x0800, []).failure == .ipv4HeaderTruncated)
  }

  @Test("a version other than the EtherType announces is counted")
  func version() {
    #expect(decode(Packets.ethernet + [0x86, 0xdd] + Packets.tcp, .ethernet).failure == .ipVersion)
    #expect(decode(Packets.ethernet + [0x08, 0x00] + Packets.udpIPv6, .ethernet).failure == .ipVersion)
  }
}
