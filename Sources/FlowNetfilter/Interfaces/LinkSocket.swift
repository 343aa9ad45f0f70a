// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: socket calls on a descriptor and memory of ours; the kernel writes within the buffer that it is given.

internal import CNetfilter
internal import FlowMeter
internal import Glibc

/// A socket of rtnetlink that hears of every interface of its network namespace. Never blocks.
struct LinkSocket: ~Copyable {
  private let descriptor: Int32
  /// The kernel's dumps come in pieces of at most 32 KiB.
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)

  enum Outcome {
    case datagram
    /// Messages were lost: there was no room for them in the socket, or in the buffer.
    case lost
    case nothing
  }

  init() throws(SystemError) {
    let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    descriptor = socket(AF_NETLINK, kind, NETLINK_ROUTE)
    guard descriptor >= 0 else { throw SystemError.last }
    var address = sockaddr_nl()
    address.nl_family = UInt16(AF_NETLINK)
    address.nl_groups = UInt32(RTMGRP_LINK)
    let result = unsafe withUnsafeBytes(of: &address) { octets in
      unsafe bind(descriptor, octets.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(octets.count))
    }
    guard result == 0 else { throw SystemError.last }
  }

  deinit { close(descriptor) }

  /// What asks for all interfaces, with neither statistics nor virtual functions.
  private struct DumpRequest {
    var header = nlmsghdr()
    var link = ifinfomsg()
    var attribute = rtattr()
    var extensions = UInt32(RTEXT_FILTER_SKIP_STATS)
  }

  /// Asks for a dump; what comes of it has this sequence number.
  func requestDump(sequence: UInt32) throws(SystemError) {
    var request = DumpRequest()
    request.header.nlmsg_len = UInt32(MemoryLayout<DumpRequest>.size)
    request.header.nlmsg_type = UInt16(RTM_GETLINK)
    request.header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
    request.header.nlmsg_seq = sequence
    request.attribute.rta_type = UInt16(IFLA_EXT_MASK)
    request.attribute.rta_len = UInt16(MemoryLayout<rtattr>.size + MemoryLayout<UInt32>.size)
    let sent = unsafe withUnsafeBytes(of: &request) { unsafe send(descriptor, $0.baseAddress!, $0.count, 0) }
    guard sent >= 0 else { throw SystemError.last }
  }

  /// Shows the next datagram, if one is there.
  mutating func receive(_ consume: (RawSpan) -> Void) -> Outcome {
    while true {
      var sender = sockaddr_nl()
      let count = unsafe buffer.withUnsafeMutableBytes { octets in
        unsafe withUnsafeMutableBytes(of: &sender) { address in
          var length = socklen_t(address.count)
          // TRUNC: the datagram's whole length is returned, also where it is more than there is room for.
          return unsafe recvfrom(
            descriptor, octets.baseAddress!, octets.count, Int32(MSG_TRUNC),
            address.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
      }
      guard count >= 0 else {
        switch errno {
        case EINTR: continue
        case ENOBUFS: return .lost
        default: return .nothing
        }
      }
      // Other programs may send to the socket too.
      guard sender.nl_pid == 0 else { continue }
      guard count <= buffer.count else { return .lost }
      unsafe consume(buffer.span.bytes.extracting(0..<count))
      return .datagram
    }
  }
}

// MARK: Speed

extension LinkSocket {
  /// The speed of an interface as its driver gives it (ETHTOOL_GLINKSETTINGS). Mbit/s; nil where that is unknown: for
  /// want of a driver that has one, or of a cable.
  ///
  /// Asked by ioctl and not in /sys, which may show another network namespace.
  func speed(of name: String) -> UInt32? {
    // Behind the settings come three bit masks, of as many words as the kernel says when it is asked for none.
    let size = MemoryLayout<ethtool_link_settings>.size + 3 * Int(Int8.max) * MemoryLayout<UInt32>.size
    return unsafe withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { memory -> UInt32? in
      unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
      let settings = unsafe memory.baseAddress!.assumingMemoryBound(to: ethtool_link_settings.self)
      unsafe settings.pointee.cmd = UInt32(ETHTOOL_GLINKSETTINGS)
      guard unsafe askDriver(descriptor, settings, of: name) else { return nil }
      let words = unsafe settings.pointee.link_mode_masks_nwords
      guard (-Int8.max..<0).contains(words) else { return nil }
      unsafe settings.pointee.cmd = UInt32(ETHTOOL_GLINKSETTINGS)
      unsafe settings.pointee.link_mode_masks_nwords = -words
      guard unsafe askDriver(descriptor, settings, of: name) else { return nil }
      let speed = unsafe settings.pointee.speed
      return speed == 0 || speed == UInt32(bitPattern: SPEED_UNKNOWN) ? nil : speed
    }
  }
}
