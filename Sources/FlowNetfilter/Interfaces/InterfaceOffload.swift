// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: an ioctl with a request of ours, which the kernel reads and writes.

internal import CNetfilter
internal import Glibc

/// What an interface or its driver makes one large packet of, so that fewer are seen than there are on the wire.
public struct InterfaceOffload: OptionSet, Hashable, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Generic receive offload: segments that come are merged by the kernel.
  public static let gro = InterfaceOffload(rawValue: 1)
  /// Large receive offload: they are merged by the card.
  public static let lro = InterfaceOffload(rawValue: 2)
  /// TCP segmentation offload: what is sent is cut by the card, behind every tap.
  public static let tso = InterfaceOffload(rawValue: 4)

  /// What merges packets that come.
  public static let receiving: InterfaceOffload = [.gro, .lro]

  /// As ethtool -K calls them.
  public var names: [String] {
    [(Self.gro, "gro"), (.lro, "lro"), (.tso, "tso")].filter { contains($0.0) }.map(\.1)
  }

  /// Of an interface of this network namespace, by its name; nothing where it says nothing.
  ///
  /// By ioctl and not out of /sys, which may show another network namespace.
  public init(of name: String) {
    self = []
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if Self.value(ETHTOOL_GGRO, name, descriptor) != 0 { insert(.gro) }
    if Self.value(ETHTOOL_GTSO, name, descriptor) != 0 { insert(.tso) }
    if Self.value(ETHTOOL_GFLAGS, name, descriptor) & UInt32(ETH_FLAG_LRO.rawValue) != 0 { insert(.lro) }
  }

  private static func value(_ command: some BinaryInteger, _ name: String, _ descriptor: Int32) -> UInt32 {
    var value = ethtool_value(cmd: UInt32(command), data: 0)
    return unsafe askDriver(descriptor, &value, of: name) ? value.data : 0
  }
}

/// Asks an interface's driver by ioctl (SIOCETHTOOL).
///
/// - Parameter command: one of the structures of <linux/ethtool.h>.
func askDriver(_ descriptor: Int32, _ command: UnsafeMutableRawPointer, of name: String) -> Bool {
  var request = unsafe ifreq()
  unsafe withUnsafeMutableBytes(of: &request.ifr_ifrn) { octets in
    unsafe octets.copyBytes(from: name.utf8.prefix(octets.count - 1))
  }
  unsafe request.ifr_ifru.ifru_data = unsafe command.assumingMemoryBound(to: CChar.self)
  return unsafe ioctl(descriptor, UInt(SIOCETHTOOL), &request) == 0
}
