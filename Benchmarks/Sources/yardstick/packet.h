// SPDX-License-Identifier: Apache-2.0
//
// From a captured Ethernet frame to what a meter needs of it.

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/// What packets of a flow have in common, as words to compare and hash: source and destination (two words each, IPv4
/// in the first half of the first), then ports (4 octets, as on the wire), protocol, class of service, interface (2).
struct flow_key {
  uint64_t words[5];
};

struct packet {
  struct flow_key key;
  uint64_t hash;
  uint32_t octets;        ///< of the IP packet
  uint32_t milliseconds;  ///< since the first packet's second
  uint8_t control_bits;   ///< of TCP
  bool is_ipv6;
};

static inline uint16_t load16(const uint8_t *from) {
  uint16_t value;
  memcpy(&value, from, 2);
  return __builtin_bswap16(value);
}

/// As they lie there: keys stay in the network's order.
static inline uint32_t copy32(const uint8_t *from) {
  uint32_t value;
  memcpy(&value, from, 4);
  return value;
}

static inline uint64_t copy64(const uint8_t *from) {
  uint64_t value;
  memcpy(&value, from, 8);
  return value;
}

static inline uint64_t fold(uint64_t a, uint64_t b) {
  __uint128_t product = (__uint128_t)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/// Folded multiplication (after wyhash). The words are constants here; a meter on a real network would draw them.
static inline uint64_t hash_key(const struct flow_key *key) {
  const uint64_t *words = key->words;
  uint64_t addresses = fold(words[0] ^ 0x2d358dccaa6c78a5, words[1] ^ 0x8bb84b93962eacc9) ^
                       fold(words[2] ^ 0x4b33a62ed433d4a3, words[3] ^ 0x4d5a2da51de1aa47);
  return fold(addresses ^ 0xa0761d6478bd642f, words[4] ^ 0xe7037ed1a0b428db);
}

/// Steps over IPv6's extension headers (RFC 8200 section 4). Returns where the transport header begins: `end` in a
/// later fragment and where the frame was cut.
static inline const uint8_t *skip_extensions(const uint8_t *at, const uint8_t *end, uint8_t *protocol) {
  enum { hop_by_hop = 0, routing = 43, fragment = 44, destination_options = 60 };
  for (int headers = 0; headers < 8; headers++) {
    if (*protocol != hop_by_hop && *protocol != routing && *protocol != fragment && *protocol != destination_options)
      return at;
    if (at + 8 > end) return end;
    bool is_fragment = *protocol == fragment;
    bool is_later = is_fragment && (load16(at + 2) & 0xfff8) != 0;
    *protocol = at[0];
    if (is_later) return end;
    at += is_fragment ? 8 : 8 + at[1] * 8u;
  }
  return at;
}

/// Reads the headers of Ethernet, VLAN tags, IP, and TCP, UDP, SCTP or ICMP. False where it is not IP, or cut within.
static inline bool decode_frame(const uint8_t *at, uint32_t captured, struct packet *packet) {
  const uint8_t *end = at + captured;
  if (captured < 34) return false;
  uint16_t type = load16(at + 12);
  at += 14;
  while (__builtin_expect(type == 0x8100 || type == 0x88a8, 0)) {
    if (at + 4 > end) return false;
    type = load16(at + 2);
    at += 4;
  }
  uint64_t *words = packet->key.words;
  uint8_t protocol, class_of_service;
  if (__builtin_expect(type == 0x0800, 1)) {
    if (at + 20 > end || at[0] >> 4 != 4) return false;
    uint32_t header = (at[0] & 15) * 4u;
    if (header < 20) return false;
    packet->octets = load16(at + 2);
    packet->is_ipv6 = false;
    class_of_service = at[1];
    protocol = at[9];
    words[0] = copy32(at + 12);
    words[1] = 0;
    words[2] = copy32(at + 16);
    words[3] = 0;
    bool is_later = (load16(at + 6) & 0x1fff) != 0;
    at = __builtin_expect(is_later, 0) ? end : at + header;
  } else if (type == 0x86dd) {
    if (at + 40 > end) return false;
    packet->octets = load16(at + 4) + 40;
    packet->is_ipv6 = true;
    class_of_service = (uint8_t)(load16(at) >> 4);
    protocol = at[6];
    words[0] = copy64(at + 8);
    words[1] = copy64(at + 16);
    words[2] = copy64(at + 24);
    words[3] = copy64(at + 32);
    at = skip_extensions(at + 40, end, &protocol);
  } else {
    return false;
  }
  uint32_t ports = 0;
  packet->control_bits = 0;
  if (protocol == 6) {
    if (at + 14 <= end) {
      ports = copy32(at);
      packet->control_bits = at[13];
    }
  } else if (protocol == 17 || protocol == 132) {
    if (at + 4 <= end) ports = copy32(at);
  } else if (protocol == 1 || protocol == 58) {
    // Type and code stand where the destination port does.
    if (at + 2 <= end) ports = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 24;
  }
  words[4] = ports | (uint64_t)protocol << 32 | (uint64_t)class_of_service << 40 | (uint64_t)1 << 48;
  return true;
}
