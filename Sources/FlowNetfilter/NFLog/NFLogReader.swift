// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws or reads a clock.

internal import FlowMeter

/// Reads the datagrams of an NFLOG group: walks their messages and appends the packets to batches.
///
/// A datagram may hold more packets than a batch takes: it is read in as many calls as that needs.
struct NFLogReader {
  /// What the kernel could not deliver.
  var losses = SequenceGaps()
  /// What of the datagram is still to be read.
  private var unread = 0..<0
  private let details: RecordedDetails
  private let translations: NATTable?

  /// - Parameters:
  ///   - details: what of a packet is recorded beside what every Flow has and the ports of a bridge.
  ///   - translations: shown the connections of translated packets, where the kernel attaches them.
  init(details: RecordedDetails = RecordedDetails(), _ translations: NATTable? = nil) {
    self.details = details
    self.translations = translations
  }

  /// Whether the datagram was read to its end.
  var isAtEnd: Bool { unread.isEmpty }

  /// How long the datagram is that is being read.
  var octets: Int { unread.upperBound }

  /// A datagram of so many octets is to be read next.
  mutating func begin(octets: Int) { unread = 0..<octets }

  /// Appends packets until the batch is full or the datagram ends.
  ///
  /// - Parameters:
  ///   - bytes: the datagram.
  ///   - reading: the clock as it was when the datagram came.
  mutating func read(_ bytes: RawSpan, at reading: LiveClock, into batch: inout PacketBatch) {
    var cursor = NetlinkCursor(unread)
    while !batch.isFull {
      guard let message = cursor.nextMessage(in: bytes) else {
        unread = 0..<0
        return
      }
      guard message.type == NFLogPacket.messageType, message.payload.count > NetlinkMessage.netfilterHeaderLength
      else { continue }
      let packet = NFLogPacket(bytes, message.payload)
      if let sequence = packet.sequence { losses.note(sequence) }
      append(packet, bytes, at: reading, to: &batch)
    }
    unread = cursor.rest
  }

  @inline(__always)
  private func append(
    _ packet: borrowing NFLogPacket, _ bytes: RawSpan, at reading: LiveClock, to batch: inout PacketBatch
  ) {
    var metadata = CaptureMetadata(
      time: packet.time.map { reading.time(ofStamp: $0) } ?? reading.now,
      wireLength: packet.etherType == EtherType.ipv6 ? Self.mostIPv6 : Self.mostIPv4, linkType: .network,
      ingressInterface: packet.ingressInterface, egressInterface: packet.egressInterface,
      direction: packet.direction)
    metadata.etherType = packet.etherType
    metadata.outerTag = packet.outerTag
    batch.append(bytes.extracting(packet.payload), metadata, detail: packet.detail(bytes, details))
    if !packet.conntrack.isEmpty, let translations,
      let told = ConntrackMessage(bytes, attributes: packet.conntrack)
    {
      translations.note(told.connection, at: reading.now)
    }
  }

  // How long a packet was is not told, and a copy may have been cut by the rule: what an IP header can say is believed.
  private static let mostIPv6 = 65_575
  private static let mostIPv4 = 65_535
}
