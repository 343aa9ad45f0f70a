// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: calls libnetfilter_log and libnfnetlink to set a group up, and recv(2) into memory of the caller's.

internal import CNetfilter
internal import FlowMeter
internal import Glibc

/// An NFLOG group that this process listens to: its netlink socket and how it was set up.
@safe struct NFLogGroup: ~Copyable {
  private let handle: OpaquePointer
  private let group: OpaquePointer
  let descriptor: Int32
  /// The socket's buffer as the kernel gave it. Octets.
  let grantedBuffer: Int

  /// Binds the group and says how its packets are to come.
  init(
    number: UInt16, _ configuration: NFLogSource.Configuration, wantsConntrack: Bool
  ) throws(CaptureError) {
    let handle = unsafe try Self.open(number)
    do throws(SystemError) {
      unsafe (group, grantedBuffer) = unsafe try Self.bind(handle, number, configuration, wantsConntrack)
    } catch {
      unsafe nflog_close(handle)
      throw Self.error(number, error)
    }
    unsafe self.handle = unsafe handle
    descriptor = unsafe nflog_fd(handle)
  }

  private static func open(_ number: UInt16) throws(CaptureError) -> OpaquePointer {
    guard let handle = unsafe nflog_open() else { throw error(number, SystemError.last) }
    // What libnfnetlink reads while it waits for an answer: on a busy group, packets.
    unsafe nfnl_set_rcv_buffer_size(nflog_nfnlh(handle), UInt32(NFLogSource.mostOctets))
    return unsafe handle
  }

  private static func bind(
    _ handle: OpaquePointer, _ number: UInt16, _ configuration: NFLogSource.Configuration, _ wantsConntrack: Bool
  ) throws(SystemError) -> (group: OpaquePointer, grantedBuffer: Int) {
    guard let group = unsafe nflog_bind_group(handle, number) else { throw .last }
    // Packets that come while libnfnetlink waits for an answer; 1: it waits on.
    unsafe nflog_callback_register(group, { _, _, _, _ in 1 }, nil)
    let isSetUp =
      unsafe nflog_set_mode(group, UInt8(NFULNL_COPY_PACKET), UInt32(configuration.copyLength)) == 0
      && nflog_set_qthresh(group, UInt32(configuration.threshold)) == 0
      && nflog_set_timeout(group, UInt32(max(1, configuration.timeout.wholeMilliseconds / 10))) == 0
      && nflog_set_nlbufsiz(group, UInt32(configuration.messageSize)) == 0
    // Behind the message size: libnetfilter_log makes the socket's buffer ten messages small with it. What the kernel
    // does not grant is what the buffer has.
    let granted = unsafe setReceiveBuffer(nflog_nfnlh(handle), to: configuration.bufferSize)
    guard isSetUp, unsafe setFlags(group, wantsConntrack: wantsConntrack) else {
      let error = SystemError.last
      unsafe nflog_unbind_group(group)
      throw error
    }
    return unsafe (group, granted)
  }

  /// The numbering begins with the last answer, so that all numbered packets are ours to read.
  private static func setFlags(_ group: OpaquePointer, wantsConntrack: Bool) -> Bool {
    let (numbered, connected) = (UInt16(NFULNL_CFG_F_SEQ), UInt16(NFULNL_CFG_F_CONNTRACK))
    // Not all kernels know the second flag, and those refuse both.
    if wantsConntrack, unsafe nflog_set_flags(group, numbered | connected) == 0 { return true }
    return unsafe nflog_set_flags(group, numbered) == 0
  }

  deinit {
    unsafe nflog_unbind_group(group)
    unsafe nflog_close(handle)
  }

  /// Takes the next datagram without waiting. Returns its length, or -errno.
  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let length = unsafe recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
      if length >= 0 { return length }
      if errno != EINTR { return -Int(errno) }
    }
  }

  /// The kernel's EPERM says two things.
  private static func error(_ number: UInt16, _ error: SystemError) -> CaptureError {
    let object = "NFLOG group \(number)"
    switch error.code {
    case EPERM where NFLogListeners.current[number] != nil:
      let program = NFLogListeners.current[number].flatMap { NFLogListeners.program(at: $0) }
      return .netfilter(
        object: object, reason: "another program listens to it\(program.map { " (\($0))" } ?? "")",
        advice: "stop that one, or log to another group")
    case EPROTONOSUPPORT, EINVAL, ENOENT:
      return .netfilter(
        object: object, reason: "the kernel has no nfnetlink_log", advice: "load it: 'modprobe nfnetlink_log'")
    default:
      return .netfilter(object: object, reason: error.description, advice: error.netlinkAdvice)
    }
  }
}
