// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands buffers of ours to system calls.

internal import CShims
internal import FlowMeter
internal import Glibc

/// Asks a running flowprobe by its control socket; see ``ControlCommand`` for the protocol.
struct ControlClient {
  let path: String
  /// Seconds to wait for a part of the answer.
  private static let patience = 60

  init(path: String) { self.path = path }

  /// The text of an answer.
  func ask(_ request: String) throws(ControlClientError) -> String {
    var octets: [UInt8] = []
    try ask(request) {
      octets += $0
      return true
    }
    return String(decoding: octets, as: UTF8.self)
  }

  /// Hands over the text of an answer in parts as it comes.
  ///
  /// - Parameter body: false where no more is wanted.
  func ask(_ request: String, _ body: ([UInt8]) -> Bool) throws(ControlClientError) {
    let descriptor = try connect()
    defer { close(descriptor) }
    guard Console.write(to: descriptor, request + "\n") == 0 else { throw .system(path, .last) }
    var reader = AnswerReader()
    while true {
      let part = unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer -> [UInt8]? in
        let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
        return count < 0 ? nil : unsafe Array(buffer[..<count])
      }
      guard let part else {
        if errno == EINTR { continue }
        throw errno == EAGAIN ? .late(path) : .system(path, .last)
      }
      guard !part.isEmpty else { break }
      let text = reader.take(part)
      if !text.isEmpty, !body(text) { return }
    }
    let refusal = reader.refusal
    guard refusal == nil else { throw .refused(refusal ?? "") }
    guard reader.isWhole else { throw .cut(path) }
  }

  private func connect() throws(ControlClientError) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .system(path, .last) }
    var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    guard unsafe UnixAddress(path).with({ unsafe Glibc.connect(descriptor, $0, $1) }) == 0 else {
      let error = SystemError.last
      close(descriptor)
      throw [ENOENT, ECONNREFUSED, ENOTSOCK].contains(error.code) ? .nobody(path) : .system(path, error)
    }
    return descriptor
  }
}

/// Takes an answer apart as it comes: its first line, the text, and its end.
struct AnswerReader {
  private var head: [UInt8] = []
  private var hasBegun = false
  /// The last octets of the text so far, which may be its end.
  private var held: [UInt8] = []
  /// Whether what is held stands at the beginning of a line.
  private var isAtLine = true
  private static let end = Array(ControlCommand.end.utf8)

  /// The text in the next octets of the answer, as far as it is known not to be its end.
  mutating func take(_ octets: [UInt8]) -> [UInt8] {
    var octets = octets[...]
    if !hasBegun {
      let end = octets.firstIndex(of: UInt8(ascii: "\n"))
      head += octets[...(end ?? octets.endIndex - 1)]
      guard let end else { return [] }
      hasBegun = true
      octets = octets[(end + 1)...]
    }
    held += octets
    let text = Array(held.dropLast(Self.end.count))
    held.removeFirst(text.count)
    if let last = text.last { isAtLine = last == UInt8(ascii: "\n") }
    return text
  }

  /// What was refused and why; nil where it was not.
  var refusal: String? {
    // By octets: a line end behind a carriage return is no character of its own.
    let failure = ControlCommand.failure.utf8
    guard head.starts(with: failure), head.last == UInt8(ascii: "\n") else { return nil }
    return String(decoding: head.dropFirst(failure.count).dropLast(), as: UTF8.self)
  }

  /// Whether all of the answer has come.
  var isWhole: Bool { head == Array(ControlCommand.success.utf8) && isAtLine && held == Self.end }
}

/// Why there is no answer, in words for who asked.
enum ControlClientError: Error, Hashable, CustomStringConvertible {
  /// Nobody listens there.
  case nobody(String)
  case system(String, SystemError)
  case late(String)
  case cut(String)
  /// By flowprobe, with its reason.
  case refused(String)

  var description: String {
    switch self {
    case .nobody(let path):
      "cannot ask flowprobe on '\(path)': none answers there; start one that exports as root, or name the socket of the"
        + " one that runs with --control"
    case .system(let path, let error):
      "cannot ask flowprobe on '\(path)': \(error)"
        + (error.code == EACCES ? "; ask as root, or as a member of its --control-group" : "; try again")
    case .late(let path): "cannot ask flowprobe on '\(path)': it has not answered in time; try again"
    case .cut(let path): "the answer of flowprobe on '\(path)' was cut off; ask again"
    case .refused(let reason): reason
    }
  }
}
