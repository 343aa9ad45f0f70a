// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: OpenSSL's functions on an object that is owned here; octets are shown to them for the call.

internal import COpenSSL
internal import FlowMeter
internal import Glibc

/// A TLS session on a connection (RFC 7011 section 11.2), as the client; never blocking.
@safe final class TLSSession {
  private let session: OpaquePointer
  private let context: TLSContext

  enum Outcome {
    /// So many octets went.
    case done(Int)
    /// Nothing goes before something comes, or before there is room.
    case wantsRead
    case wantsWrite
    /// The peer has said that nothing more comes.
    case closed
    case failed(StreamFailure)
  }

  init(_ context: TLSContext, on descriptor: Int32) throws(StreamFailure) {
    guard let made = unsafe context.makeSession(on: descriptor) else {
      throw StreamFailure(reason: "cannot begin TLS: \(TLSContext.lastReason)")
    }
    unsafe session = made
    self.context = context
  }

  deinit { unsafe SSL_free(session) }

  /// Goes on with the handshake.
  func shakeHands() -> Outcome {
    prepare()
    return outcome(of: unsafe SSL_do_handshake(session))
  }

  /// Whether the server may still refuse our certificate though the handshake is over (RFC 8446 section 4.4.2.4).
  var mayBeRefused: Bool { unsafe SSL_version(session) == TLS1_3_VERSION }

  /// Octets of the session that were written to the socket.
  var wireOctets: UInt64 { unsafe BIO_number_written(SSL_get_wbio(session)) }

  func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    prepare()
    return outcome(of: unsafe SSL_write(session, bytes.baseAddress, Int32(bytes.count)))
  }

  /// Takes what the peer says, which is for TLS alone: tickets, alerts, its end.
  func read() -> Outcome {
    prepare()
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
      outcome(of: unsafe SSL_read(session, buffer.baseAddress, Int32(buffer.count)))
    }
  }

  /// Says that nothing more comes.
  func end() {
    prepare()
    unsafe SSL_shutdown(session)
  }

  /// What is in the queue of errors would be taken for the next call's.
  private func prepare() {
    ERR_clear_error()
    errno = 0
  }

  private func outcome(of result: Int32) -> Outcome {
    if result > 0 { return .done(Int(result)) }
    let code = errno
    switch unsafe SSL_get_error(session, result) {
    case SSL_ERROR_WANT_READ: return .wantsRead
    case SSL_ERROR_WANT_WRITE: return .wantsWrite
    case SSL_ERROR_ZERO_RETURN: return .closed
    case SSL_ERROR_SYSCALL:
      return code == 0 ? .closed : .failed(StreamFailure(code))
    default:
      let verification = unsafe SSL_get_verify_result(session)
      let isOurs = verification != Int(X509_V_OK)
      let words = isOurs ? context.words(ofVerification: verification) : context.words(of: ERR_peek_error())
      return .failed(StreamFailure(reason: words))
    }
  }
}
