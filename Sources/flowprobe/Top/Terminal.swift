// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on structures of ours.

internal import CShims
internal import FlowMeter
internal import Glibc

/// The terminal as a screen that is drawn anew again and again; what was on it comes back at the end, however that comes
/// about. Signals are taken by ``nextEvent(until:)`` meanwhile.
final class Terminal {
  enum Event: Hashable {
    case key(Character)
    case resized
    /// By a signal, or as nobody types any more.
    case ended
    case timeout
  }

  private static let awaited = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH]

  private var original = termios()
  private let signals: Int32

  init() {
    unsafe tcgetattr(STDIN_FILENO, &original)
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in Self.awaited { unsafe sigaddset(&set, number) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    signals = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC))
    enter()
  }

  deinit {
    leave()
    close(signals)
  }

  /// The other screen, without a cursor; keys come at once and are not shown.
  private func enter() {
    var changed = original
    changed.c_lflag &= ~tcflag_t(ICANON | ECHO)
    unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &changed)
    Console.write(to: STDOUT_FILENO, "\u{1b}[?1049h\u{1b}[?25l")
  }

  private func leave() {
    Console.write(to: STDOUT_FILENO, "\u{1b}[?25h\u{1b}[?1049l")
    unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &original)
  }

  var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return (80, 24)
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Draws the rows from the top; false where the terminal takes no more.
  func draw(_ rows: [StyledRow]) -> Bool {
    let (columns, most) = size
    let lines = rows.prefix(most).map { $0.escaped(width: columns) + "\u{1b}[K" }
    return Console.write(to: STDOUT_FILENO, "\u{1b}[H\(lines.joined(separator: "\r\n"))\u{1b}[J") == 0
  }

  /// Waits for what comes next.
  ///
  /// - Parameter end: by the monotonic clock.
  func nextEvent(until end: Timestamp) -> Event {
    while true {
      let pause = end.milliseconds - Timestamp.monotonicClock().milliseconds
      guard pause > 0 else { return .timeout }
      var entries = [
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
        pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
      ]
      guard unsafe poll(&entries, 2, Int32(clamping: pause)) > 0 else { continue }
      if entries[0].revents != 0, let event = takeSignal() { return event }
      if entries[1].revents != 0 { return takeKey() }
    }
  }

  private func takeSignal() -> Event? {
    var news = signalfd_siginfo()
    guard unsafe read(signals, &news, MemoryLayout<signalfd_siginfo>.size) > 0 else { return nil }
    switch Int32(news.ssi_signo) {
    case SIGWINCH: return .resized
    case SIGTSTP:
      leave()
      kill(getpid(), SIGSTOP)
      enter()
      return .resized
    default: return .ended
    }
  }

  private func takeKey() -> Event {
    var octet: UInt8 = 0
    guard unsafe read(STDIN_FILENO, &octet, 1) == 1 else { return .ended }
    return .key(Character(Unicode.Scalar(octet)))
  }
}
