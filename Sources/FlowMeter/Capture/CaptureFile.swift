// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: calls libpcap to open a file.

internal import CPcap
internal import CShims
internal import Glibc

/// The packets of a capture file in pcap or pcapng format, or of a pipe that carries one.
public final class CaptureFile: PacketSource {
  public let name: String
  private let handle: PcapHandle
  private let ingressInterface: UInt32
  private let details: RecordedDetails

  /// - Parameters:
  ///   - path: the file; `-` is standard input.
  ///   - filter: a pcap-filter expression; empty takes every packet.
  ///   - ingressInterface: the ifIndex to report; default 0, not known.
  ///   - details: what is recorded beside; frames have hardware addresses. Default: nothing.
  public init(
    path: String, filter: String = "", ingressInterface: UInt32 = 0, details: RecordedDetails = RecordedDetails()
  ) throws(CaptureError) {
    name = path == "-" ? "standard input" : path
    self.ingressInterface = ingressInterface
    self.details = details
    let stream = unsafe try Self.open(path, name)
    // One thread reads it: without locks, which would be taken twice a packet.
    unsafe __fsetlocking(stream, Int32(FSETLOCKING_BYCALLER))
    // The C library's own buffer would take a system call for every 4 KiB.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    unsafe setvbuf(stream, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(_IOFBF), buffer.count)
    let precision = UInt32(PCAP_TSTAMP_PRECISION_NANO)
    let (opened, message) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)) {
      errors in
      let base = errors.baseAddress!
      let pcap = unsafe pcap_fopen_offline_with_tstamp_precision(stream, precision, base)
      return unsafe (pcap, pcap == nil ? String(cString: base) : "")
    }
    guard let pcap = unsafe opened else {
      unsafe fclose(stream)
      unsafe buffer.deallocate()
      throw .file(name: name, reason: message)
    }
    let linkTypeName = unsafe PcapHandle.linkTypeName(of: pcap)
    guard let handle = unsafe PcapHandle(adopting: pcap, streamBuffer: buffer) else {
      throw .linkType(object: name, name: linkTypeName)
    }
    self.handle = handle
    try self.handle.set(filter: filter)
  }

  private static func open(_ path: String, _ name: String) throws(CaptureError) -> UnsafeMutablePointer<FILE> {
    let stream = unsafe path == "-" ? fdopen(dup(STDIN_FILENO), "rb") : fopen(path, "rbe")
    guard let stream = unsafe stream else { throw .file(name: name, reason: SystemError.last.description) }
    return unsafe stream
  }

  public func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome {
    let result = handle.dispatch(into: &batch, ingressInterface: ingressInterface, clock: nil, details)
    if result > 0 { return .more }
    if result == 0 { return .end }
    throw .damagedFile(name: name, reason: handle.lastError)
  }

  public func drops() -> CaptureDrops { CaptureDrops() }

  /// How far a file has been read and its size, in octets; nil for a pipe.
  public var progress: (read: Int64, size: Int64)? {
    guard let stream = unsafe pcap_file(handle.pcap) else { return nil }
    var status = stat()
    guard unsafe fstat(fileno(stream), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return unsafe (Int64(ftell(stream)), Int64(status.st_size))
  }
}
