// SPDX-License-Identifier: Apache-2.0
//
// OpenSSL, and what is a macro there, which Swift cannot call. No logic.

#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static inline int copenssl_set_least_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version);
}
static inline long copenssl_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }
static inline long copenssl_set_server_name(SSL *session, const char *name) {
  return SSL_set_tlsext_host_name(session, name);
}
static inline int copenssl_reason(unsigned long error) { return ERR_GET_REASON(error); }
