// SPDX-License-Identifier: Apache-2.0
//
// On the path of every packet: nothing here allocates, throws or reads a clock.
//
// Unsafe: shows what lies in a batch, as long as that is neither changed nor gone; every number is checked against the
// count.

/// The packets of a batch for the table: where they lie, since copying one costs more than to read what the table reads
/// of it; and room for what the table notes of them.
@safe struct BatchedPackets: @unchecked Sendable {
  let count: Int
  private let observations: UnsafePointer<PacketObservation>
  private let details: UnsafePointer<PacketDetail>
  private let labels: UnsafePointer<MPLSLabelStack>
  private let hashes: UnsafeMutablePointer<UInt64>
  private let order: UnsafeMutablePointer<UInt16>

  @inline(__always)
  init(
    count: Int, _ observations: UnsafePointer<PacketObservation>, _ details: UnsafePointer<PacketDetail>,
    _ labels: UnsafePointer<MPLSLabelStack>, hashes: UnsafeMutablePointer<UInt64>,
    order: UnsafeMutablePointer<UInt16>
  ) {
    self.count = count
    unsafe (self.observations, self.details, self.labels) = unsafe (observations, details, labels)
    unsafe (self.hashes, self.order) = unsafe (hashes, order)
  }

  /// A packet by its number in the order of arrival.
  @inline(__always)
  subscript(number: Int) -> BatchedPacket {
    precondition(number >= 0 && number < count)
    return unsafe BatchedPacket(observations + number, details + number, labels + number)
  }

  /// The hash of a packet's key, by the packet's number.
  @inline(__always)
  func hash(of number: Int) -> UInt64 {
    precondition(number >= 0 && number < count)
    return unsafe hashes[number]
  }

  @inline(__always)
  func note(hash: UInt64, of number: Int) {
    precondition(number >= 0 && number < count)
    unsafe hashes[number] = hash
  }

  /// The number of the packet that is added at this place of the table's order.
  @inline(__always)
  func number(at place: Int) -> Int {
    precondition(place >= 0 && place < count)
    return unsafe Int(order[place])
  }

  @inline(__always)
  func note(number: Int, at place: Int) {
    precondition(place >= 0 && place < count)
    unsafe order[place] = UInt16(truncatingIfNeeded: number)
  }
}

/// A packet where it lies in its batch.
@safe struct BatchedPacket: @unchecked Sendable {
  private let place: UnsafePointer<PacketObservation>
  private let details: UnsafePointer<PacketDetail>
  private let labelStacks: UnsafePointer<MPLSLabelStack>

  @inline(__always)
  init(
    _ place: UnsafePointer<PacketObservation>, _ details: UnsafePointer<PacketDetail>,
    _ labelStacks: UnsafePointer<MPLSLabelStack>
  ) {
    unsafe (self.place, self.details, self.labelStacks) = unsafe (place, details, labelStacks)
  }

  var observation: PacketObservation {
    @inline(__always)
    unsafeAddress { unsafe place }
  }

  /// Only where the observation says that it has one.
  @inline(__always)
  var detail: PacketDetail { unsafe details.pointee }

  /// Only where the key says that there are some.
  @inline(__always)
  var labels: MPLSLabelStack { unsafe labelStacks.pointee }

  /// Where its key lies.
  @inline(__always)
  @unsafe var key: UnsafePointer<FlowKey> { unsafe place.pointer(to: \.key)! }
}
