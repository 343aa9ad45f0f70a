// SPDX-License-Identifier: Apache-2.0

/// Something that can be asked for by the control socket.
///
/// The protocol, over a Unix stream socket, one request a connection:
///
/// * The request is one line: the command's name and its words, apart by spaces; at most 4096 octets, line end included.
/// * The answer's first line is `ok`, or `error: ` and the reason in words; nothing follows an error.
/// * Behind `ok` comes the text, each line with its line end, and behind the text a line that is a dot alone: an answer
///   without it was cut off. No other line is a dot alone.
/// * Then flowprobe closes the connection.
struct ControlCommand: Sendable {
  let name: String
  /// The words behind the name, as `help` shows them.
  var words = ""
  /// What it does, as `help` says it.
  let summary: String
  /// Whether it changes something: only root and flowprobe's own user may ask for it.
  var isChange = false
  /// Makes the answer; on the control thread.
  ///
  /// - Parameter words: those behind the name.
  /// - Throws: what is wrong with them, or why it cannot be done.
  let answer: @Sendable (_ words: [Substring]) throws(ControlRefusal) -> ControlAnswer

  /// What ends an answer.
  static let end = ".\n"
  static let success = "ok\n"
  static let failure = "error: "
  /// Octets of a request, line end included.
  static let mostOctets = 4096
}

/// Why a request is not answered, in words for who asked: `cannot <verb> <object>: <reason>; <what to do>`.
struct ControlRefusal: Error, Hashable {
  var reason: String
}

/// The text of an answer, made in parts as the client takes them: the whole need not be in memory, and other clients
/// are served in between.
struct ControlAnswer {
  /// The next lines; empty where there are none yet, and nil when there are no more.
  let next: () -> String?

  init(_ next: @escaping () -> String?) { self.next = next }

  /// A text that is there; a line end is added where it has none.
  init(_ text: String) {
    var text: String? = text.utf8.last == UInt8(ascii: "\n") || text.isEmpty ? text : text + "\n"
    next = {
      defer { text = nil }; return text
    }
  }
}

/// The commands that a control socket has.
struct ControlCommands: Sendable {
  private let commands: [ControlCommand]

  init(_ commands: [ControlCommand]) { self.commands = commands }

  /// The answer to a request.
  ///
  /// - Parameter mayChange: whether who asks may ask for changes.
  func answer(_ request: String, mayChange: Bool) throws(ControlRefusal) -> ControlAnswer {
    let words = request.split(whereSeparator: \.isWhitespace)
    guard let name = words.first else {
      throw ControlRefusal(reason: "cannot answer: there is no command; 'help' lists them")
    }
    if name == "help" { return ControlAnswer(help) }
    guard let command = commands.first(where: { $0.name == name }) else {
      throw ControlRefusal(reason: "cannot answer '\(name)': there is no such command; 'help' lists them")
    }
    guard mayChange || !command.isChange else {
      throw ControlRefusal(
        reason: "cannot \(name): only root and flowprobe's own user may change something; ask as root")
    }
    guard !command.words.isEmpty || words.count == 1 else {
      throw ControlRefusal(reason: "cannot answer '\(request)': \(name) takes no words; leave out '\(words[1])'")
    }
    return try command.answer(Array(words.dropFirst()))
  }

  private var help: String {
    let usages = commands.map { $0.words.isEmpty ? $0.name : "\($0.name) \($0.words)" }
    return zip(usages, commands).map { "\($0)\n    \($1.summary)\n" }.joined()
  }
}
