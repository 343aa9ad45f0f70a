// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands arrays of octets to write, with their own lengths.

internal import FlowMeter
internal import Glibc

/// A capture file and what is truly in it.
struct Capture {
  var path: String
  var totals: FlowTotals
}

/// Writes captures in pcap format, little-endian, with microseconds.
enum CaptureWriter {
  private static let flushLength = 1 << 20

  static func write(_ traffic: some TrafficSource, to path: String) throws(BenchmarkError) -> Capture {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw BenchmarkError(cannot: "create '\(path)'") }
    defer { close(file) }

    var octets: [UInt8] = []
    octets.reserveCapacity(flushLength + 4096)
    // Magic, version 2.4, time zone, accuracy, snap length, link type Ethernet.
    for word: UInt32 in [0xa1b2_c3d4, 0x0004_0002, 0, 0, UInt32(Frame.snapLength), 1] { append(word, to: &octets) }
    var generator = traffic
    while generator.next() {
      append(UInt32(generator.microseconds / 1_000_000), to: &octets)
      append(UInt32(generator.microseconds % 1_000_000), to: &octets)
      append(UInt32(generator.frame.capturedLength), to: &octets)
      append(UInt32(generator.frame.wireLength), to: &octets)
      for place in 0..<generator.frame.capturedLength { octets.append(generator.frame.octets[place]) }
      guard octets.count >= flushLength else { continue }
      try Interruption.check()
      try flush(&octets, to: file, path)
    }
    try flush(&octets, to: file, path)
    return Capture(path: path, totals: generator.totals)
  }

  private static func append(_ word: UInt32, to octets: inout [UInt8]) {
    for shift: UInt32 in [0, 8, 16, 24] { octets.append(UInt8(truncatingIfNeeded: word >> shift)) }
  }

  private static func flush(_ octets: inout [UInt8], to file: Int32, _ path: String) throws(BenchmarkError) {
    var written = 0
    while written < octets.count {
      let result = unsafe octets.withUnsafeBytes {
        unsafe Glibc.write(file, $0.baseAddress! + written, $0.count - written)
      }
      guard result > 0 else { throw BenchmarkError(cannot: "write '\(path)'") }
      written += result
    }
    octets.removeAll(keepingCapacity: true)
  }
}
