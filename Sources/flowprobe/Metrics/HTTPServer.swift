// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: libmicrohttpd's calls. It gets a pointer to the server as its closure's argument, which the server keeps valid
// by stopping the daemon, and waiting for its thread, before it goes; texts are copied by the library.

internal import CMicrohttpd
internal import FlowMeter
internal import Glibc
internal import Synchronization

/// What a server answers to one request.
struct HTTPPage: Equatable {
  var status: UInt32
  /// Content-Type.
  var type = "text/plain; charset=utf-8"
  var text: String
}

/// A small HTTP server by libmicrohttpd, with one thread of that library's: GET and HEAD, few connections, short waits, one
/// request each.
@safe final class HTTPServer: @unchecked Sendable {
  /// Connections at a time; more are closed at once.
  private static let mostConnections = 16
  /// Seconds in which nothing comes or goes.
  private static let patience = 10
  /// How long a connection may last, however much of it comes and goes: ten seconds would be a slow reader's; milliseconds.
  static let longest: Int64 = 30_000
  /// For the head of a request and of its answer; bytes, a connection.
  private static let memory = 8192

  private let page: @Sendable (_ path: String) -> HTTPPage
  private var daemon: OpaquePointer?
  /// When each connection began, by its socket.
  private let connections = Mutex<[Int32: Timestamp]>([:])

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - descriptor: a socket that listens; the server's from now on.
  ///   - page: what a path's page is; on the server's thread.
  /// - Returns: nil where the thread cannot be started.
  init?(listeningOn descriptor: Int32, _ page: @escaping @Sendable (_ path: String) -> HTTPPage) {
    self.page = page
    let options: [(MHD_OPTION, Int)] = [
      (.LISTEN_SOCKET, Int(descriptor)), (.CONNECTION_LIMIT, Self.mostConnections),
      (.CONNECTION_TIMEOUT, Self.patience), (.CONNECTION_MEMORY_LIMIT, Self.memory),
    ]
    let server = unsafe Unmanaged.passUnretained(self).toOpaque()
    var items = unsafe options.map { unsafe MHD_OptionItem(option: $0, value: $1, ptr_value: nil) }
    unsafe items.append(
      MHD_OptionItem(
        option: .NOTIFY_CONNECTION, value: unsafeBitCast(Self.notice, to: Int.self), ptr_value: server))
    unsafe items.append(MHD_OptionItem(option: .END, value: 0, ptr_value: nil))
    unsafe items.withUnsafeBufferPointer { items in
      let arguments: [any CVarArg] = unsafe [
        MHD_OPTION.ARRAY.rawValue, OpaquePointer(items.baseAddress!), MHD_OPTION.END.rawValue,
      ]
      unsafe daemon = unsafe withVaList(arguments) { list in
        unsafe MHD_start_daemon_va(
          MHD_USE_POLL_INTERNAL_THREAD.rawValue, 0, nil, nil, Self.answer, server, list)
      }
    }
    guard unsafe daemon != nil else {
      close(descriptor)
      return nil
    }
  }

  deinit { stop() }

  /// Closes all connections and waits for the thread. Once it has returned nobody is answered.
  func stop() {
    guard let running = unsafe daemon else { return }
    unsafe daemon = nil
    unsafe MHD_stop_daemon(running)
  }

  /// Ends connections that have lasted too long: who sends an octet now and then keeps none. Any thread.
  func endLongest(at now: Timestamp = .monotonicClock()) {
    connections.withLock { connections in
      for (socket, began) in connections where now.milliseconds - began.milliseconds >= Self.longest {
        // The library closes it; until that tells, the number is no other connection's.
        shutdown(socket, Int32(SHUT_RDWR))
      }
    }
  }

  /// Called when a connection begins, and before its socket is closed.
  private static let notice: MHD_NotifyConnectionCallback = { server, connection, _, event in
    guard let server = unsafe server, let connection = unsafe connection else { return }
    let socket = unsafe cmicrohttpd_socket(connection)
    unsafe Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue().connections.withLock {
      $0[socket] = event == .CONNECTION_NOTIFY_STARTED ? .monotonicClock() : nil
    }
  }

  /// Called twice a request: with its head, and when what may come behind it has been read.
  private static let answer: MHD_AccessHandlerCallback = { server, connection, url, method, _, _, uploaded, request in
    guard let server = unsafe server, let url = unsafe url, let method = unsafe method, let request = unsafe request
    else { return .NO }
    guard unsafe ["GET", "HEAD"].contains(String(cString: method)) else {
      return unsafe queue(
        HTTPPage(status: 405, text: "only GET and HEAD are answered\n"), on: connection, [("Allow", "GET, HEAD")])
    }
    guard unsafe request.pointee != nil else {
      // Anything but nil: the head has been seen.
      unsafe request.pointee = server
      return .YES
    }
    if let uploaded = unsafe uploaded, unsafe uploaded.pointee > 0 {
      unsafe uploaded.pointee = 0
      return .YES
    }
    let page = unsafe Unmanaged<HTTPServer>.fromOpaque(server).takeUnretainedValue().page(String(cString: url))
    return unsafe queue(page, on: connection)
  }

  private static func queue(
    _ page: HTTPPage, on connection: OpaquePointer?, _ headers: [(name: String, value: String)] = []
  ) -> MHD_Result {
    var text = page.text
    let response = text.withUTF8 {
      unsafe MHD_create_response_from_buffer(
        $0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let response = unsafe response else { return .NO }
    defer { unsafe MHD_destroy_response(response) }
    for (name, value) in [("Content-Type", page.type), ("Connection", "close")] + headers {
      guard unsafe MHD_add_response_header(response, name, value) == .YES else { return .NO }
    }
    return unsafe MHD_queue_response(connection, page.status, response)
  }
}
