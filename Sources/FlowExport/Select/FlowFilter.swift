// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns libpcap's compiled program, which nobody changes after init, and shows it packets with their lengths.

internal import CPcap
internal import FlowMeter

/// A filter in tcpdump's words, compiled (pcap-filter(7)), for Flow Records and NAT events.
///
/// libpcap matches it against packets of raw IP: see `SyntheticPacket` for what it is shown. Two filters of the same
/// words are equal. Any thread.
@safe public final class FlowFilter: Hashable, @unchecked Sendable {
  /// The filter's words.
  public let expression: String
  private let program: UnsafeMutablePointer<bpf_program>

  /// Compiles a filter.
  ///
  /// - Throws: ``FlowFilterError``, in libpcap's words.
  public init(_ expression: String) throws(FlowFilterError) {
    self.expression = expression
    // libpcap would read no further.
    guard !expression.utf8.contains(0) else {
      throw FlowFilterError(expression: expression, reason: "there is a zero octet in it")
    }
    unsafe program = .allocate(capacity: 1)
    unsafe program.initialize(to: bpf_program())
    let pcap = unsafe pcap_open_dead(DLT_RAW, Int32(UInt16.max))
    defer { unsafe pcap_close(pcap) }
    guard unsafe pcap_compile(pcap, program, expression, 1, PCAP_NETMASK_UNKNOWN) == 0 else {
      throw FlowFilterError(expression: expression, reason: unsafe String(cString: pcap_geterr(pcap)))
    }
  }

  deinit {
    unsafe pcap_freecode(program)
    unsafe program.deallocate()
  }

  /// Whether the filter takes a packet.
  ///
  /// - Parameter length: the octets that the packet is to have had, of which the buffer holds the first.
  func matches(_ packet: borrowing MessageBuffer, length: Int) -> Bool {
    var header = pcap_pkthdr()
    (header.caplen, header.len) = (UInt32(packet.count), UInt32(length))
    return unsafe pcap_offline_filter(program, &header, packet.bytes.assumingMemoryBound(to: UInt8.self)) != 0
  }

  /// Whether the words are the same.
  public static func == (a: FlowFilter, b: FlowFilter) -> Bool { a.expression == b.expression }

  /// By the words.
  public func hash(into hasher: inout Hasher) { hasher.combine(expression) }
}

/// libpcap does not understand the filter, or it asks for what a flow has not.
public struct FlowFilterError: Error, Hashable, Sendable {
  /// The filter's words.
  public var expression: String
  /// In libpcap's words.
  public var reason: String
}
