// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: owns one message; a record is written only while fewer than a message's full number of them are in it.

internal import FlowExport
internal import FlowMeter

/// Messages written by hand: what the encoder made of templates is held against.
@safe struct PointerEncoder<Layout: PointerLayout>: ~Copyable {
  private let message: UnsafeMutableRawPointer
  private var count = 0
  private var sequence: UInt32
  private let set: UInt16

  /// - Parameters:
  ///   - sequence: of the first message.
  ///   - set: the id of its set; NetFlow v5 has none.
  init(sequence: UInt32, set: UInt16) {
    (self.sequence, self.set) = (sequence, set)
    let length = Layout.headerLength + Layout.recordsPerMessage * Layout.recordLength
    unsafe message = .allocate(byteCount: length, alignment: 64)
  }

  deinit { unsafe message.deallocate() }

  mutating func encode(
    _ records: borrowing FlowRecordBuffer, at instant: ExportInstant, _ send: (RawSpan) -> Void
  ) {
    for i in 0..<records.count {
      if count == Layout.recordsPerMessage { finish(at: instant, send) }
      let place = Layout.headerLength + count * Layout.recordLength
      unsafe Layout.write(records[i], boot: instant.boot, to: message + place)
      count += 1
    }
  }

  private mutating func finish(at instant: ExportInstant, _ send: (RawSpan) -> Void) {
    unsafe Layout.writeHeader(count, sequence: sequence, set: set, at: instant, to: message)
    let length = Layout.headerLength + count * Layout.recordLength
    unsafe send(RawSpan(_unsafeStart: message, byteCount: length))
    sequence &+= Layout.sequenceStep(count)
    count = 0
  }
}
