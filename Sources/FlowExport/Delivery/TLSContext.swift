// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: OpenSSL's functions on objects that are owned here; texts are copied at once.

internal import COpenSSL
internal import FlowMeter
internal import Glibc

/// What TLS needs to know of a Collector beside its address. The peer's certificate is verified always.
public struct TLSConfiguration: Hashable, Sendable {
  /// The file (PEM) of the authorities that may sign the Collector's certificate; nil: the system's.
  public var authorities: String?
  /// The file (PEM) of the certificate that is shown to the Collector, with those between it and the authority behind it;
  /// nil: none is shown.
  public var certificate: String?
  /// The file (PEM) of its key, without a passphrase; nil: the certificate's file has it.
  public var key: String?
  /// The name, or the address, that the Collector's certificate has; nil: the destination's.
  public var name: String?

  public init() {}
}

/// What the sessions to a Collector share: the files, read once.
@safe final class TLSContext: @unchecked Sendable {
  private let context: OpaquePointer
  /// A name or an address that the certificate must have.
  private let name: String
  private let nameIsAddress: Bool
  private let hasCertificate: Bool

  /// Where Debian's ca-certificates has the system's authorities in one file: it is read now, and not when a root
  /// directory without it was entered.
  private static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

  /// Reads the files.
  ///
  /// - Parameter host: the destination's, as it was given.
  init(_ configuration: TLSConfiguration, host: String) throws(DeliveryRefusal) {
    guard let made = unsafe SSL_CTX_new(TLS_client_method()) else { throw .tls("cannot begin TLS: \(Self.lastReason)") }
    unsafe context = made
    name = configuration.name ?? host
    nameIsAddress = IPAddress.parse(name) != nil
    hasCertificate = configuration.certificate != nil
    // RFC 7011 section 11 asks for TLS 1.1 at least, which nobody may use any more (RFC 8996).
    unsafe _ = copenssl_set_least_version(context, TLS1_2_VERSION)
    let mode = Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
    unsafe _ = copenssl_set_mode(context, mode)
    unsafe SSL_CTX_set_options(context, UInt64(1) << 7)  // SSL_OP_IGNORE_UNEXPECTED_EOF
    unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    // A key with a passphrase is refused: nobody is there to be asked for it.
    unsafe SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
    if let file = configuration.authorities {
      try Self.check(file, "ca", unsafe SSL_CTX_load_verify_file(context, file))
    } else {
      unsafe SSL_CTX_set_default_verify_paths(context)
      unsafe SSL_CTX_load_verify_file(context, Self.systemAuthorities)
      ERR_clear_error()
    }
    if let file = configuration.certificate {
      try Self.check(file, "cert", unsafe SSL_CTX_use_certificate_chain_file(context, file))
      try checkValidity(file)
      let key = configuration.key ?? file
      try Self.check(key, "key", unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM))
      guard unsafe SSL_CTX_check_private_key(context) == 1 else {
        throw .tls("cannot use '\(key)': it is not the key of the certificate in '\(file)'; give that with key=FILE")
      }
    }
  }

  deinit { unsafe SSL_CTX_free(context) }

  private static func check(_ file: String, _ parameter: String, _ result: Int32) throws(DeliveryRefusal) {
    guard result != 1 else { return }
    defer { ERR_clear_error() }
    let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .tls("cannot read '\(file)': \(SystemError.last); give another file with \(parameter)=FILE")
    }
    close(descriptor)
    let passphrase = ERR_peek_last_error() != 0 && lastReason.contains("password")
    throw .tls(
      "cannot use '\(file)': \(passphrase ? "it has a passphrase" : lastReason); give a PEM file with \(parameter)=FILE"
    )
  }

  /// The certificate that is shown must hold now.
  private func checkValidity(_ file: String) throws(DeliveryRefusal) {
    guard let certificate = unsafe SSL_CTX_get0_certificate(context) else { return }
    if unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 {
      throw .tls("cannot use '\(file)': the certificate has expired; have it renewed")
    }
    if unsafe X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0 {
      throw .tls("cannot use '\(file)': the certificate does not hold yet; see whether the clock is right")
    }
  }

  /// OpenSSL's words for what went wrong last.
  static var lastReason: String {
    let error = ERR_peek_last_error()
    guard error != 0, let text = unsafe ERR_reason_error_string(error) else { return "unknown error" }
    return unsafe String(cString: text).lowercased()
  }

  /// A session's SSL object on a connected socket; who takes it frees it. Nil where it cannot be made, or would take any
  /// certificate.
  func makeSession(on descriptor: Int32) -> OpaquePointer? {
    ERR_clear_error()
    guard let session = unsafe SSL_new(context) else { return nil }
    guard unsafe SSL_set_fd(session, descriptor) == 1, unsafe demandName(of: session) else {
      unsafe SSL_free(session)
      return nil
    }
    unsafe SSL_set_connect_state(session)
    return unsafe session
  }

  /// Has the certificate be the Collector's. False where that fails.
  private func demandName(of session: OpaquePointer) -> Bool {
    if nameIsAddress { return unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name) == 1 }
    unsafe SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    unsafe _ = copenssl_set_server_name(session, name)
    return unsafe SSL_set1_host(session, name) == 1
  }

  /// What is to be done where the Collector's certificate is not good, or ours is not for it.
  func words(ofVerification result: Int) -> String {
    let reason = unsafe String(cString: X509_verify_cert_error_string(result))
    let advice =
      switch Int32(truncatingIfNeeded: result) {
      case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
        "it is not of '\(name)'; give the name that it has with name=NAME"
      case X509_V_ERR_CERT_HAS_EXPIRED: "have it renewed"
      case X509_V_ERR_CERT_NOT_YET_VALID: "see whether the clocks are right"
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        "give the authority that signed it with ca=FILE"
      default: "have a good one made"
      }
    return "its certificate cannot be trusted: \(reason); \(advice)"
  }

  /// The same of the handshake's other errors, by OpenSSL's number.
  func words(of error: UInt) -> String {
    let reason =
      unsafe ERR_reason_error_string(error).map { unsafe String(cString: $0).lowercased() } ?? "unknown error"
    switch copenssl_reason(error) {
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_WRONG_SSL_VERSION:
      return "it speaks no TLS 1.2 or later (\(reason)); have that allowed there"
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_RECORD_LENGTH_MISMATCH:
      return "it does not speak TLS (\(reason)); see whether the port is right"
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
      SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
      SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
      SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      let what = hasCertificate ? "this certificate; give one that it trusts" : "who shows no certificate; give one"
      return "it does not accept \(what) with cert=FILE and key=FILE (\(reason))"
    default: return "TLS: \(reason)"
    }
  }
}

/// Why messages cannot be delivered as a destination asks for, in words for the operator.
public struct DeliveryRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// What cannot be done, why, and what to do.
  public var description: String

  static func tls(_ text: String) -> DeliveryRefusal { DeliveryRefusal(description: text) }
}
