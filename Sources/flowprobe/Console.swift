// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: write(2) on strings' own octets.

internal import Glibc

/// What the operator is told, on standard error.
enum Console {
  static let errorIsTerminal = isatty(STDERR_FILENO) == 1
  /// The journal keeps a line's priority, and names the program itself.
  private static let errorIsJournal = JournalStream.isStandardError(Environment.value("JOURNAL_STREAM"))

  /// How much a line matters, as syslog(3) and the journal count.
  enum Priority: Int {
    /// The program ends, or does not do what it is there for.
    case error = 3
    /// Something is lost or goes without.
    case warning
    case notice
    /// The summary.
    case info
  }

  /// A sentence about what went wrong, a notice, or a line of the summary.
  static func say(_ text: String, _ priority: Priority = .warning) {
    line(errorIsJournal ? JournalStream.line(text, priority) : "flowprobe: \(text)")
  }

  /// Replaces the line that shows the progress of a long read.
  static func progress(_ text: String) { write(to: STDERR_FILENO, "\r\u{1b}[K\(text)") }

  /// Names come from outside: what a terminal or a log would take as an order is not written.
  private static func line(_ text: String) {
    let text = text.withoutControls
    write(to: STDERR_FILENO, errorIsTerminal ? "\r\u{1b}[K\(text)\n" : "\(text)\n")
  }

  /// Writes all of a text. Returns the errno where that failed, else 0.
  @discardableResult
  static func write(to descriptor: Int32, _ text: String) -> Int32 {
    var text = text
    return text.withUTF8 { unsafe write(to: descriptor, UnsafeRawBufferPointer($0)) }
  }

  /// Writes all of some octets. Returns the errno where that failed, else 0.
  @discardableResult
  static func write(to descriptor: Int32, _ octets: [UInt8]) -> Int32 {
    unsafe octets.withUnsafeBytes { unsafe write(to: descriptor, $0) }
  }

  private static func write(to descriptor: Int32, _ octets: UnsafeRawBufferPointer) -> Int32 {
    var offset = 0
    while offset < octets.count {
      let count = unsafe Glibc.write(descriptor, octets.baseAddress! + offset, octets.count - offset)
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&entry, 1, 1000)
        continue
      }
      guard count > 0 else { return errno }
      offset += count
    }
    return 0
  }
}

extension Unicode.Scalar {
  /// Whether a terminal may take it as an order (C0 and C1 of ISO 6429).
  var isControl: Bool { value < 0x20 || (0x7f..<0xa0).contains(value) }
}

extension String {
  /// The text with a question mark in the place of each character that is not shown; line ends stay.
  var withoutControls: String {
    unicodeScalars.contains { $0.isControl && $0 != "\n" }
      ? String(map { $0 == "\n" || !$0.unicodeScalars.contains(where: \.isControl) ? $0 : "?" }) : self
  }

  /// The text with spaces in front up to a width, or behind up to a width that is given negative.
  func padded(to width: Int) -> String {
    let spaces = String(repeating: " ", count: Swift.max(0, abs(width) - count))
    return width < 0 ? self + spaces : spaces + self
  }
}
