// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import FlowExport
@testable import FlowMeter

/// Certificates that openssl makes, in a directory of the tests'.
private final class Certificates: Sendable {
  nonisolated(unsafe) let directory: TemporaryDirectory

  func path(_ name: String) -> String { "\(unsafe directory.path)/\(name)" }

  init() throws {
    unsafe directory = TemporaryDirectory()
    try authority("ca")
    try authority("stranger")
    try certificate("server", "subjectAltName=DNS:collector.example,IP:127.0.0.1", from: "ca")
    try certificate("elsewhere", "subjectAltName=DNS:other.example", from: "ca")
    try certificate("expired", "subjectAltName=IP:127.0.0.1", from: "ca", days: -1)
    try certificate("client", "extendedKeyUsage=clientAuth", from: "ca")
    try certificate("foreign", "extendedKeyUsage=clientAuth", from: "stranger")
  }

  private func authority(_ name: String) throws {
    try #require(
      try ChildProcess.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out", path("\(name).pem")) == 0)
  }

  private func certificate(_ name: String, _ extension: String, from authority: String, days: Int = 2) throws {
    try #require(
      try ChildProcess.run(
        "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)",
        "-keyout", path("\(name).key"), "-out", path("\(name).csr")) == 0)
    unsafe directory.write(Array(`extension`.utf8), to: "\(name).ext")
    try #require(
      try ChildProcess.run(
        "openssl", "x509", "-req", "-in", path("\(name).csr"), "-CA", path("\(authority).pem"), "-CAkey",
        path("\(authority).key"), "-set_serial", "7", "-days", "\(days)", "-extfile", path("\(name).ext"), "-out",
        path("\(name).pem")) == 0)
  }
}

/// `openssl s_server`, which writes what comes to a file.
private final class TLSServer {
  let port: UInt16
  /// Has the port stay ours, also when the server has stopped.
  private let free: StreamReceiver
  private let process: ChildProcess
  private let output: String
  private let directory: TemporaryDirectory

  init(_ certificates: Certificates, _ name: String = "server", _ options: String..., port wanted: UInt16 = 0) throws {
    free = try #require(StreamReceiver(port: wanted))
    port = free.address.port
    free.stop()
    directory = TemporaryDirectory()
    output = "\(directory.path)/out"
    process = try ChildProcess(
      [
        "openssl", "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-cert", certificates.path("\(name).pem"),
        "-key", certificates.path("\(name).key"),
      ] + options, output: output)
    // The server takes who only looks for one that shakes no hands.
    for _ in 0..<500 {
      if free.address.isListening { break }
      usleep(10_000)
    }
  }

  func stop() { process.stop() }

  /// What came, once it has so many flows, or five seconds later.
  func collector(of flows: Int) -> WireCollector {
    for _ in 0..<50 {
      let collector = collector
      if collector.flows >= flows { return collector }
      usleep(100_000)
    }
    return collector
  }

  /// What came, of whole messages.
  var collector: WireCollector {
    var (collector, rest) = (WireCollector(), directory.read("out")[...])
    while rest.count >= 16 {
      let length = Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3])
      guard length >= 16, length <= rest.count else { break }
      collector.take(Array(rest.prefix(length)))
      rest = rest.dropFirst(length)
    }
    return collector
  }
}

extension ResolvedAddress {
  /// Whether a connection comes to be.
  fileprivate var isListening: Bool {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    defer { close(descriptor) }
    return unsafe withSocketAddress { unsafe connect(descriptor, $0, $1) } == 0
  }
}

@Suite("Delivery over TLS", .enabled(if: ChildProcess.exists("openssl"), "openssl is not installed"))
struct TLSDeliveryTests {
  private static let certificates = Result { try Certificates() }

  private let certificates: Certificates

  init() throws { certificates = try Self.certificates.get() }

  private func url(_ server: TLSServer, _ more: String = "") -> String {
    "tls://127.0.0.1:\(server.port)?ca=\(certificates.path("ca.pem"))\(more)"
  }

  /// Sends something, and expects that it arrives.
  private func expectDelivery(_ url: String, to server: TLSServer) throws {
    let scene = try DeliveryScene(url)
    scene.pass(2000)
    #expect(scene.wait { $0.sent.flows == 2000 })
    scene.exporter.finish(within: 5000)
    let collector = server.collector(of: 2000)
    #expect(collector.problems == [])
    #expect(collector.flows == 2000)
    #expect(scene.isBalanced)
    #expect(scene.events == [])
  }

  /// Expects that nothing is sent, and what is told of why.
  private func expectRefusal(_ url: String, _ words: String, of server: TLSServer) throws {
    let scene = try DeliveryScene(url)
    scene.pass(50)
    #expect(scene.wait { _ in !scene.events.isEmpty })
    #expect(scene.events.first?.hasPrefix("cannot send to collector tls://127.0.0.1:") ?? false)
    #expect(scene.events.first?.contains(words) ?? false, "\(scene.events)")
    let statistics = scene.exporter.statistics
    #expect(statistics.failedAttempts >= 1)
    #expect(statistics.sent == FlowTotals())
    #expect(statistics.messages == 0)
    #expect(statistics.pending.flows == 50)
    #expect(scene.isBalanced)
    #expect(server.collector.flows == 0)
  }

  @Test("messages come whole where the certificate is good: of the address, and of a name that is given")
  func good() throws {
    let server = try TLSServer(certificates)
    try expectDelivery(url(server), to: server)
    let another = try TLSServer(certificates)
    try expectDelivery(url(another, "&name=collector.example"), to: another)
    let old = try TLSServer(certificates, "server", "-tls1_2")
    try expectDelivery(url(old), to: old)
  }

  @Test("a certificate of another name is refused, and the name is what to look at")
  func otherName() throws {
    let (elsewhere, server) = (try TLSServer(certificates, "elsewhere"), try TLSServer(certificates))
    try expectRefusal(url(elsewhere), "it is not of '127.0.0.1'; give the name", of: elsewhere)
    try expectRefusal(url(server, "&name=x.example"), "it is not of 'x.example'; give the name", of: server)
  }

  @Test("a certificate of an authority that is not known is refused")
  func unknownAuthority() throws {
    let server = try TLSServer(certificates)
    let words = "its certificate cannot be trusted: unable to get local issuer certificate; give the authority that"
    try expectRefusal("tls://127.0.0.1:\(server.port)?ca=\(certificates.path("stranger.pem"))", words, of: server)
    try expectRefusal("tls://127.0.0.1:\(server.port)", words, of: server)
  }

  @Test("a certificate that has expired is refused")
  func expired() throws {
    let server = try TLSServer(certificates, "expired")
    try expectRefusal(url(server), "certificate has expired; have it renewed", of: server)
  }

  @Test("who is asked for a certificate shows it; who has none, or one that is not trusted, is told so")
  func clientCertificate() throws {
    let (ca, client, foreign) = (
      certificates.path("ca.pem"), certificates.path("client"), certificates.path("foreign")
    )
    for version in ["-tls1_2", "-tls1_3"] {
      let server = try TLSServer(certificates, "server", "-Verify", "1", "-verify_return_error", "-CAfile", ca, version)
      try expectRefusal(
        url(server), "it does not accept who shows no certificate; give one with cert=FILE and key=FILE", of: server)
      try expectRefusal(
        url(server, "&cert=\(foreign).pem&key=\(foreign).key"),
        "it does not accept this certificate; give one that it trusts with cert=FILE and key=FILE", of: server)
      try expectDelivery(url(server, "&cert=\(client).pem&key=\(client).key"), to: server)
    }
  }

  @Test("TLS 1.1 is refused, and so is what speaks no TLS")
  func oldVersion() throws {
    let server = try TLSServer(certificates, "server", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    try expectRefusal(url(server), "it speaks no TLS 1.2 or later", of: server)
    let plain = try #require(StreamReceiver())
    let scene = try DeliveryScene("tls://127.0.0.1:\(plain.address.port)?ca=\(certificates.path("ca.pem"))")
    scene.pass(10)
    let connection = try #require(plain.accept())
    connection.say("220 this is no TLS at all\r\n")
    #expect(scene.wait { _ in !scene.events.isEmpty })
    #expect(scene.events[0].contains("it does not speak TLS"), "\(scene.events)")
  }

  @Test("files that cannot be read, do not belong together, or have expired are refused before anything is sent")
  func files() throws {
    let (server, client) = (certificates.path("server"), certificates.path("client"))
    for (parameters, words) in [
      (
        "ca=/nowhere/ca.pem", "cannot read '/nowhere/ca.pem': no such file or directory; give another file with ca=FILE"
      ),
      ("ca=\(certificates.path("ca.key"))", "give a PEM file with ca=FILE"),
      ("cert=\(client).key", "give a PEM file with cert=FILE"),
      ("cert=\(client).pem", "give a PEM file with key=FILE"),
      ("cert=\(client).pem&key=\(server).key", "give"),
      (
        "cert=\(certificates.path("expired.pem"))&key=\(certificates.path("expired.key"))",
        "the certificate has expired; have it renewed"
      ),
    ] {
      for refusal in try DeliveryScene.refusals("tls://127.0.0.1:9?\(parameters)") {
        #expect(refusal.hasPrefix("cannot send to collector tls://127.0.0.1:9: cannot "))
        #expect(refusal.contains(words), "\(refusal)")
      }
    }
  }

  @Test("what was under way when TLS broke comes again on the next connection")
  func broken() throws {
    let first = try TLSServer(certificates)
    let scene = try DeliveryScene(url(first))
    scene.pass(1000)
    #expect(scene.wait { $0.sent.flows > 0 })
    let port = first.port
    first.stop()
    scene.pass(1000)
    let second = try TLSServer(certificates, port: port)
    #expect(scene.wait { $0.sent.flows == 2000 && $0.pending.flows == 0 })
    let collector = second.collector(of: 1000)
    #expect(collector.problems == [])
    #expect(collector.flows >= 1000)
    #expect(scene.isBalanced)
  }
}
