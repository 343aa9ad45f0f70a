// SPDX-License-Identifier: Apache-2.0

/// A place where IP packets are observed: an Observation Point (RFC 5470 section 5.2).
///
/// Belongs to the thread that calls it.
public protocol PacketSource: AnyObject {
  /// What it is called in messages and thread names: an interface, a file.
  var name: String { get }

  /// Puts the packets at hand into the batch, oldest first, until it is full; waits at most `timeout` for the first.
  ///
  /// - Throws: what ends the source for good. Packets that came before it are in the batch.
  func receive(timeout: Duration, into batch: inout PacketBatch) throws(CaptureError) -> ReceiveOutcome

  /// Packets lost before they could be received, since the source was opened.
  func drops() -> CaptureDrops

  /// How long the kernel may hold a packet before it can be received. Default 300 ms.
  var holdTime: Duration { get }
}

extension PacketSource {
  public var holdTime: Duration { .milliseconds(300) }
}

/// How a source goes on.
public enum ReceiveOutcome: Hashable, Sendable {
  /// There may be more.
  case more
  /// The end of a capture file.
  case end
  /// The interface is gone; the source tries to open it again.
  case interrupted(CaptureError)
  /// The interface is back.
  case resumed
}

/// Packets lost before they could be received.
public struct CaptureDrops: Hashable, Sendable {
  /// For want of buffer space in the kernel.
  public var kernel: UInt64 = 0
  /// By the interface or its driver.
  public var interface: UInt64 = 0

  public init(kernel: UInt64 = 0, interface: UInt64 = 0) {
    (self.kernel, self.interface) = (kernel, interface)
  }
}
