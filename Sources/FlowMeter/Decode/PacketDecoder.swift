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
    let link = try LinkHeader(bytes, metadata)
    observation.time = metadata.time
    observation.key.ingressInterface =
      metadata.ingressInterface != 0 ? metadata.ingressInterface : link.interface
    observation.egressInterface = metadata.egressInterface
    observation.direction = metadata.direction
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

    var remark: DecodeRemark? = end > metadata.wireLength ? .frameShorterThanPacket : nil
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
