// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc
import Testing

@testable import flowprobe

@Suite("Commands of the control socket")
struct ControlCommandTests {
  private let commands = ControlCommands([
    ControlCommand(name: "plain", summary: "Says so.") { _ in ControlAnswer("said so") },
    ControlCommand(name: "echo", words: "[WORD...]", summary: "Gives words back.") {
      ControlAnswer($0.joined(separator: ","))
    },
    ControlCommand(name: "set", words: "NAME", summary: "Changes something.", isChange: true) { _ in
      ControlAnswer("")
    },
  ])

  private func text(_ request: String, mayChange: Bool = true) -> String {
    do throws(ControlRefusal) {
      let answer = try commands.answer(request, mayChange: mayChange)
      var text = ""
      while let part = answer.next() { text += part }
      return text
    } catch {
      return "refused: \(error.reason)"
    }
  }

  @Test("a request is a command and its words, apart by white space")
  func words() {
    #expect(text("plain") == "said so\n")
    #expect(text("  echo a\tb  c ") == "a,b,c\n")
    #expect(text("help").hasPrefix("plain\n    Says so.\necho [WORD...]\n    Gives words back.\n"))
  }

  @Test("what cannot be answered is refused with what to do")
  func refused() {
    #expect(text("") == "refused: cannot answer: there is no command; 'help' lists them")
    #expect(text("foo bar") == "refused: cannot answer 'foo': there is no such command; 'help' lists them")
    #expect(text("plain 1") == "refused: cannot answer 'plain 1': plain takes no words; leave out '1'")
  }

  @Test("a carriage return before a line end is text")
  func carriageReturns() {
    let commands = ControlCommands([ControlCommand(name: "dos", summary: "") { _ in ControlAnswer("a\r\n") }])
    #expect((try? commands.answer("dos", mayChange: false))?.next() == "a\r\n")
    var reader = AnswerReader()
    _ = reader.take(Array("error: no\r\n".utf8))
    #expect(reader.refusal == "no\r")
  }

  @Test("a change is for those alone who may: root, and flowprobe's own user")
  func changes() {
    #expect(text("set a") == "")
    #expect(text("plain", mayChange: false) == "said so\n")
    #expect(
      text("set a", mayChange: false)
        == "refused: cannot set: only root and flowprobe's own user may change something; ask as root")
    let socket = ControlClientSocket.self
    #expect(socket.mayChange(user: 0, ofUser: 100))
    #expect(socket.mayChange(user: 100, ofUser: 100))
    #expect(!socket.mayChange(user: 7, ofUser: 100))
  }

  @Test("an answer is taken apart however it is cut, and what is missing of it is noticed")
  func answers() {
    func read(_ octets: [UInt8], step: Int) -> (text: String, refusal: String?, isWhole: Bool) {
      var reader = AnswerReader()
      var text: [UInt8] = []
      for start in stride(from: 0, to: octets.count, by: step) {
        text += reader.take(Array(octets[start..<min(start + step, octets.count)]))
      }
      return (String(decoding: text, as: UTF8.self), reader.refusal, reader.isWhole)
    }
    for step in [1, 2, 3, 5, 100] {
      #expect(read(Array("ok\na\n.b\nc.\n.\n".utf8), step: step) == ("a\n.b\nc.\n", nil, true))
      #expect(read(Array("ok\n.\n".utf8), step: step) == ("", nil, true))
      #expect(read(Array("error: no\n".utf8), step: step) == ("", "no", false))
      for cut in ["", "o", "ok", "ok\n", "ok\na\n", "ok\na\n.", "ok\na.\n", "error: n"] {
        let found = read(Array(cut.utf8), step: step)
        #expect(!found.isWhole && found.refusal == nil, "\(cut)")
      }
    }
  }
}

/// Serialised: one of them changes the process's umask.
@Suite("The control socket", .serialized)
struct ControlSocketTests {
  /// A directory that is removed at the end.
  private final class Place {
    let root: String
    var path: String { "\(root)/run/control" }

    init() {
      var template = Array("/tmp/flowprobe-control-XXXXXX".utf8CString)
      root = unsafe String(cString: mkdtemp(&template))
    }

    deinit { _ = unsafe system("rm -rf '\(root)'") }

    var status: stat? {
      var status = stat()
      return unsafe lstat(path, &status) == 0 ? status : nil
    }
  }

  private static let commands = ControlCommands([
    ControlCommand(name: "plain", summary: "Says so.") { _ in ControlAnswer("said so") },
    ControlCommand(name: "long", summary: "A million lines.") { _ in
      var count = 0
      return ControlAnswer {
        count += 1
        return count <= 1000 ? String(repeating: "0123456789\n", count: 1000) : nil
      }
    },
  ])

  /// A server that runs until this is gone.
  private final class Served {
    private let place = Place()
    private let server: ControlServer
    private let thread: WorkerThread
    let client: ControlClient

    init() throws {
      let server = ControlServer(try ControlSocket(path: place.path), commands)
      self.server = server
      thread = try WorkerThread(name: "control") { server.run() }
      client = ControlClient(path: place.path)
    }

    deinit {
      server.stop()
      thread.join()
    }
  }

  /// A connection that says something and no more.
  private func connection(_ client: ControlClient, _ text: String = "") -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #expect(unsafe UnixAddress(client.path).with { unsafe connect(descriptor, $0, $1) } == 0)
    Console.write(to: descriptor, text)
    return descriptor
  }

  private func rest(_ descriptor: Int32) -> String {
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return String(decoding: octets, as: UTF8.self) }
      octets += buffer[..<count]
    }
  }

  @Test("the file has mode 0660 whatever the umask is, and goes with its flowprobe")
  func file() throws {
    let place = Place()
    let mask = umask(0o027)
    defer { umask(mask) }
    do {
      let socket = try ControlSocket(path: place.path)
      #expect(place.status.map { $0.st_mode & 0o7777 } == 0o660)
      #expect(socket.path == place.path)
    }
    #expect(place.status == nil)
  }

  @Test("a group that is named has it; one that is not there is told")
  func groups() throws {
    let place = Place()
    guard geteuid() == 0 else { return }
    let socket = try ControlSocket(path: place.path, group: "daemon")
    #expect(place.status?.st_gid == 1 && place.status?.st_uid == 0 && socket.descriptor >= 0)
    #expect(throws: ListeningError.noGroup("no-such-group")) {
      try ControlSocket(path: "\(place.root)/other", group: "no-such-group")
    }
  }

  @Test("a socket that nobody listens to is replaced, one that is alive is told of, another file is left alone")
  func stale() throws {
    let place = Place()
    _ = unsafe mkdir("\(place.root)/run", 0o755)
    let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #expect(unsafe UnixAddress(place.path).with { unsafe bind(left, $0, $1) } == 0)
    close(left)
    let node = try #require(place.status).st_ino
    let first = try ControlSocket(path: place.path)
    #expect(place.status?.st_ino != node || first.descriptor >= 0)
    #expect(throws: ListeningError.taken(place.path)) { try ControlSocket(path: place.path) }
    #expect(place.status != nil)

    let file = "\(place.root)/file"
    close(unsafe open(file, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: ListeningError.noSocket(file)) { try ControlSocket(path: file) }
    #expect(unsafe access(file, F_OK) == 0)
  }

  @Test("one that was put in its place meanwhile is not removed")
  func replaced() throws {
    let place = Place()
    var first: ControlSocket? = try ControlSocket(path: place.path)
    #expect(first != nil)
    _ = unsafe unlink(place.path)
    let second = try ControlSocket(path: place.path)
    first = nil
    #expect(place.status != nil && second.descriptor >= 0)
  }

  @Test("requests are answered, also without a line end, and long answers come whole")
  func answers() throws {
    let served = try Served()
    let client = served.client
    #expect(try client.ask("plain") == "said so\n")
    #expect(try client.ask("long").utf8.count == 11_000_000)
    #expect(throws: ControlClientError.refused("cannot answer 'foo': there is no such command; 'help' lists them")) {
      try client.ask("foo")
    }
    let open = connection(client, "plain")
    shutdown(open, Int32(SHUT_WR))
    #expect(rest(open) == "ok\nsaid so\n.\n")
    close(open)
  }

  @Test("a request of 4096 octets with its line end is read, and a longer one is not")
  func lengths() throws {
    let served = try Served()
    let client = served.client
    let most = connection(client, "plain" + String(repeating: " ", count: 4090) + "\n")
    #expect(rest(most) == "ok\nsaid so\n.\n")
    close(most)
    let over = connection(client, "plain" + String(repeating: " ", count: 4091) + "\n")
    #expect(rest(over) == "error: cannot read the request: it has more than 4096 octets; ask for less at a time\n")
    close(over)
  }

  @Test("clients that say nothing, or do not read, keep nobody from being answered")
  func stuck() throws {
    let served = try Served()
    let client = served.client
    // More than are served at a time: some say nothing, some leave their answer where it is.
    let stuck = (0..<3 * ControlServer.mostClients).map { connection(client, $0 % 2 == 0 ? "" : "long\n") }
    for _ in 0..<3 { #expect(try client.ask("plain") == "said so\n") }
    for descriptor in stuck { close(descriptor) }
    #expect(try client.ask("plain") == "said so\n")
  }

  @Test("where nobody answers the client says so, and what to do")
  func nobody() {
    let path = "/tmp/no-such-directory/control"
    #expect(throws: ControlClientError.nobody(path)) { try ControlClient(path: path).ask("stat") }
    #expect(
      ControlClientError.nobody(path).description
        == "cannot ask flowprobe on '/tmp/no-such-directory/control': none answers there; start one that exports as"
        + " root, or name the socket of the one that runs with --control")
  }

  @Test("the socket is there by default where root exports live traffic")
  func options() throws {
    func control(_ arguments: String) throws -> ControlConfiguration? {
      try metering(arguments)?.configuration.control
    }
    let byDefault = geteuid() == 0 ? ControlConfiguration(path: "/run/flowprobe/control", isWanted: false) : nil
    #expect(try control("-i eth0 --dest 192.0.2.1") == byDefault)
    #expect(try control("-i eth0") == nil)
    #expect(try control("-i eth0 --dest 192.0.2.1 --no-control") == nil)
    #expect(try control("-r file.pcap --dest 192.0.2.1") == nil)
    #expect(
      try control("-i eth0 --control /tmp/c --control-group adm")
        == ControlConfiguration(path: "/tmp/c", group: "adm", isWanted: true))
  }
}
