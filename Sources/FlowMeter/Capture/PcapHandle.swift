// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws an existential or reads a clock.
//
// Unsafe: calls libpcap. Owns one pcap_t; a packet's bytes are shown as a span for the time of the callback only, and
// the span ends where libpcap says that the captured bytes end.

internal import CPcap
internal import Glibc

/// A libpcap handle, open.
@safe struct PcapHandle: ~Copyable {
  let pcap: OpaquePointer
  let linkType: LinkType

  /// What the handle's stream reads through, where that is not the C library's own buffer.
  private let streamBuffer: UnsafeMutableRawBufferPointer?

  /// Takes over an open handle and its stream's buffer. Nil where its frames are not decoded; then it is closed.
  init?(adopting pcap: OpaquePointer, streamBuffer: UnsafeMutableRawBufferPointer? = nil) {
    let linkType = unsafe LinkType(rawValue: pcap_datalink(pcap))
    guard linkType.isSupported else {
      unsafe pcap_close(pcap)
      unsafe streamBuffer?.deallocate()
      return nil
    }
    unsafe self.streamBuffer = unsafe streamBuffer
    unsafe self.pcap = pcap
    self.linkType = linkType
  }

  deinit {
    unsafe pcap_close(pcap)
    unsafe streamBuffer?.deallocate()
  }

  /// What is the same for all packets of one call.
  @unsafe private struct Delivery {
    let batch: UnsafeMutablePointer<PacketBatch>
    let linkType: LinkType
    let ingressInterface: UInt32
    let clock: LiveClock?
    let details: RecordedDetails
  }

  /// Puts packets into the batch until it is full or none are left.
  ///
  /// - Parameters:
  ///   - clock: turns wall-clock stamps to the table's time; nil takes them as they are.
  ///   - details: what is recorded beside; of it frames have the hardware addresses.
  /// - Returns: what pcap_dispatch returns: a count, 0 where there was none, or an error below 0.
  func dispatch(
    into batch: inout PacketBatch, ingressInterface: UInt32, clock: LiveClock?, _ details: RecordedDetails
  ) -> Int32 {
    let room = Int32(PacketBatch.capacity - batch.count)
    guard room > 0 else { return 0 }
    return unsafe withUnsafeMutablePointer(to: &batch) { batch in
      var delivery = unsafe Delivery(
        batch: batch, linkType: linkType, ingressInterface: ingressInterface, clock: clock, details: details)
      return unsafe withUnsafeMutablePointer(to: &delivery) { delivery in
        unsafe delivery.withMemoryRebound(to: UInt8.self, capacity: 1) { user in
          unsafe pcap_dispatch(
            pcap, room,
            { user, header, bytes in
              guard let user = unsafe user, let header = unsafe header?.pointee, let bytes = unsafe bytes else {
                return
              }
              let delivery = unsafe UnsafeRawPointer(user).assumingMemoryBound(to: Delivery.self)
              // Handles are opened with nanosecond precision: tv_usec holds nanoseconds.
              var time = Timestamp(seconds: header.ts.tv_sec, nanoseconds: header.ts.tv_usec)
              if let clock = unsafe delivery.pointee.clock { time = clock.time(ofStamp: time) }
              let span = unsafe RawSpan(_unsafeStart: bytes, byteCount: Int(header.caplen))
              let metadata = unsafe CaptureMetadata(
                time: time, wireLength: Int(header.len), linkType: delivery.pointee.linkType,
                ingressInterface: delivery.pointee.ingressInterface)
              if unsafe !delivery.pointee.details.hardwareAddresses {
                unsafe delivery.pointee.batch.pointee.append(span, metadata)
              } else {
                let detail = LinkHeader.hardwareAddresses(span, metadata.linkType)
                unsafe delivery.pointee.batch.pointee.append(span, metadata, detail: detail)
              }
            }, user)
        }
      }
    }
  }

  /// libpcap's words for what went wrong last.
  var lastError: String { unsafe String(cString: pcap_geterr(pcap)) }

  /// Compiles a filter and sets it.
  func set(filter expression: String) throws(CaptureError) {
    guard !expression.isEmpty else { return }
    var program = unsafe bpf_program()
    guard unsafe pcap_compile(pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) == 0,
      unsafe pcap_setfilter(pcap, &program) == 0
    else { throw .filter(expression: expression, reason: lastError) }
    unsafe pcap_freecode(&program)
  }

  /// The name of a handle's link type, for messages.
  static func linkTypeName(of pcap: OpaquePointer) -> String {
    let number = unsafe pcap_datalink(pcap)
    guard let name = unsafe pcap_datalink_val_to_name(number) else { return "\(number)" }
    return unsafe "\(String(cString: name)) (\(number))"
  }
}
