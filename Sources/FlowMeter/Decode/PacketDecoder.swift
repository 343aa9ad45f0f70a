// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.

/// Turns the bytes of one packet into what it adds to its Flow.
///
/// A value without state: the same bytes give the same observation.
public struct PacketDecoder: Sendable {
  private let recordedLabels: Int

  /// - Parameter recordedLabels: how many entries of an MPLS label stack are recorded, from the top; default 0, at most
  ///   ``MPLSLabelStack/mostEntries``.
  public init(recordedLabels: Int = 0) {
    precondition((0...MPLSLabelStack.mostEntries).contains(recordedLabels), "recordedLabels out of range")
    self.recordedLabels = recordedLabels
  }

  /// Decodes one packet into `observation`, which must be fresh.
  ///
  /// - Parameters:
  ///   - bytes: the packet from its link header on, as far as it was captured.
  ///   - metadata: what the source knows of it; its time is not looked at.
  ///   - observation: what the packet adds to its Flow.
  ///   - takeLabels: called where the packet has labels and they are recorded; the key says how many.
  /// - Returns: what was odd about it, if anything.
  /// - Throws: why it cannot be metered; `observation` is then half written.
  @inline(__always)
  public func decode(
    _ bytes: RawSpan, _ metadata: CaptureMetadata, into observation: inout PacketObservation,
    takeLabels: (MPLSLabelStack) -> Void = { _ in }
  ) throws(DecodeFailure) -> DecodeRemark? {
    if PlainFrame.describes(bytes, metadata.linkType) {
      // The same as below, where the compiler knows each offset and which checks cannot fail.
      let (payload, end) = try IPv4Header.parse(
        bytes, at: PlainFrame.datagramOffset, wireLength: metadata.wireLength, into: &observation)
      note(metadata, ingressInterface: metadata.ingressInterface, in: &observation)
      return transport(bytes, at: payload, end: end, wireLength: metadata.wireLength, into: &observation)
    }
    return try decodeAny(bytes, metadata, into: &observation, takeLabels: takeLabels)
  }

  @inline(never)
  private func decodeAny(
    _ bytes: RawSpan, _ metadata: CaptureMetadata, into observation: inout PacketObservation,
    takeLabels: (MPLSLabelStack) -> Void
  ) throws(DecodeFailure) -> DecodeRemark? {
    let link = try LinkHeader(bytes, metadata)
    note(
      metadata, ingressInterface: metadata.ingressInterface != 0 ? metadata.ingressInterface : link.interface,
      in: &observation)
    observation.key.outerTag = link.outerTag
    observation.key.innerTag = link.innerTag

    let start = link.payloadOffset
    let version: IPVersion
    if let announced = link.version {
      version = announced
    } else {
      guard bytes.byteCount > start else { throw .linkHeaderTruncated }
      version = IPVersion(rawValue: bytes.octet(at: start) >> 4)
      if link.labelStackDepth != 0, recordedLabels != 0 {
        observation.key.recordedLabels = UInt8(min(Int(link.labelStackDepth), recordedLabels))
        takeLabels(link.labels(bytes, most: recordedLabels))
      }
    }

    let (payload, end): (Int?, Int)
    switch version {
    case .v4:
      (payload, end) = try IPv4Header.parse(
        bytes, at: start, wireLength: metadata.wireLength, into: &observation)
    case .v6:
      (payload, end) = try IPv6Header.parse(
        bytes, at: start, wireLength: metadata.wireLength, into: &observation)
    default: throw .notIP
    }

    return transport(bytes, at: payload, end: end, wireLength: metadata.wireLength, into: &observation)
  }

  @inline(__always)
  private func note(
    _ metadata: CaptureMetadata, ingressInterface: UInt32, in observation: inout PacketObservation
  ) {
    observation.time = metadata.time
    observation.key.ingressInterface = ingressInterface
    observation.egressInterface = metadata.egressInterface
    observation.direction = metadata.direction
  }

  /// Reads what follows the IP header; `payload` is nil where that is cut off.
  @inline(__always)
  private func transport(
    _ bytes: RawSpan, at payload: Int?, end: Int, wireLength: Int, into observation: inout PacketObservation
  ) -> DecodeRemark? {
    var remark: DecodeRemark? = end > wireLength ? .frameShorterThanPacket : nil
    if observation.fragment != .later {
      if let payload {
        if !TransportHeader.parse(bytes, at: payload, end: end, into: &observation) {
          remark = .transportTruncated
        }
      } else {
        remark = .extensionHeadersTruncated
      }
    }
    return remark
  }
}

/// What most frames are: Ethernet without tags, and in it IPv4 without options, as long as a TCP header takes.
private enum PlainFrame {
  static let datagramOffset = 14
  private static let leastLength = datagramOffset + IPv4Header.fixedLength + 20
  /// Version 4, five words.
  private static let firstOctet: UInt8 = 0x45

  @inline(__always)
  static func describes(_ bytes: RawSpan, _ linkType: LinkType) -> Bool {
    linkType == .ethernet && bytes.byteCount >= leastLength
      && bytes.uint16(at: datagramOffset - 2) == EtherType.ipv4 && bytes.octet(at: datagramOffset) == firstOctet
  }
}
