// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "export.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  message_header = 16,
  set_header = 4,
  headers = message_header + set_header,
  longest_message = 1452,
  first_template = 256,
  fields = 14,
  waiting_messages = 64,
};

struct message {
  uint8_t octets[1472];
  uint32_t length;
  uint32_t records;
};

static struct message waiting[waiting_messages];
static unsigned waiting_count;
static struct message open_messages[2];  // IPv4, IPv6
static int collector_socket = -1;
static uint32_t sequence;
static uint64_t start_second;
static uint32_t now_second;
static struct export_totals totals;

static inline uint8_t *put16(uint8_t *at, uint16_t value) {
  value = __builtin_bswap16(value);
  memcpy(at, &value, 2);
  return at + 2;
}

static inline uint8_t *put32(uint8_t *at, uint32_t value) {
  value = __builtin_bswap32(value);
  memcpy(at, &value, 4);
  return at + 4;
}

static inline uint8_t *put64(uint8_t *at, uint64_t value) {
  value = __builtin_bswap64(value);
  memcpy(at, &value, 8);
  return at + 8;
}

/// Version, length, export time, sequence number, observation domain.
static void put_message_header(struct message *message) {
  uint8_t *at = put16(message->octets, 10);
  at = put16(at, (uint16_t)message->length);
  at = put32(at, now_second);
  at = put32(at, sequence);
  put32(at, 1);
}

static void send_waiting(void) {
  struct mmsghdr headers_of[waiting_messages];
  struct iovec pieces[waiting_messages];
  memset(headers_of, 0, sizeof headers_of);
  for (unsigned place = 0; place < waiting_count; place++) {
    pieces[place] = (struct iovec){waiting[place].octets, waiting[place].length};
    headers_of[place].msg_hdr.msg_iov = &pieces[place];
    headers_of[place].msg_hdr.msg_iovlen = 1;
  }
  unsigned sent = 0;
  while (collector_socket >= 0 && sent < waiting_count) {
    int count = sendmmsg(collector_socket, headers_of + sent, waiting_count - sent, 0);
    if (count < 0) totals.failed_messages++;
    sent += count < 0 ? 1 : (unsigned)count;
  }
  totals.messages += waiting_count;
  waiting_count = 0;
}

static void finish_message(bool is_ipv6) {
  struct message *message = &open_messages[is_ipv6];
  if (!message->records) return;
  put_message_header(message);
  put16(message->octets + message_header, first_template + is_ipv6);
  put16(message->octets + message_header + 2, (uint16_t)(message->length - message_header));
  sequence += message->records;
  memcpy(&waiting[waiting_count++], message, sizeof *message);
  if (waiting_count == waiting_messages) send_waiting();
  message->length = headers;
  message->records = 0;
}

/// Addresses, ports, protocol, class of service, control bits, end reason, interfaces, packets, octets, start, end.
static void put_templates(void) {
  static const uint16_t elements[fields][2] = {{8, 4},  {12, 4},  {7, 2},  {11, 2}, {4, 1}, {5, 1},   {6, 1},
                                               {136, 1}, {10, 2}, {14, 2}, {2, 8},  {1, 8}, {152, 8}, {153, 8}};
  struct message *message = &waiting[waiting_count++];
  uint8_t *at = message->octets + message_header;
  for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
    at = put16(at, 2);
    at = put16(at, set_header + 4 + fields * 4);
    at = put16(at, (uint16_t)(first_template + is_ipv6));
    at = put16(at, fields);
    for (int field = 0; field < fields; field++) {
      bool is_address = is_ipv6 && field < 2;
      at = put16(at, is_address ? (uint16_t)(27 + field) : elements[field][0]);
      at = put16(at, is_address ? 16 : elements[field][1]);
    }
  }
  message->length = (uint32_t)(at - message->octets);
  put_message_header(message);
  send_waiting();
}

void export_open(const char *collector) {
  now_second = (uint32_t)time(NULL);
  open_messages[0].length = open_messages[1].length = headers;
  if (collector) {
    char host[64];
    snprintf(host, sizeof host, "%s", collector);
    char *colon = strrchr(host, ':');
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (colon) {
      *colon = 0;
      address.sin_port = htons((uint16_t)atoi(colon + 1));
    }
    collector_socket = socket(AF_INET, SOCK_DGRAM, 0);
    if (!colon || inet_pton(AF_INET, host, &address.sin_addr) != 1 || collector_socket < 0 ||
        connect(collector_socket, (struct sockaddr *)&address, sizeof address) != 0) {
      fprintf(stderr, "cannot export to '%s'\n", collector);
      exit(1);
    }
    int size = 8 << 20;
    setsockopt(collector_socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  }
  put_templates();
}

void export_set_start(uint64_t second) { start_second = second; }

void export_set_time(uint32_t milliseconds) { now_second = (uint32_t)start_second + milliseconds / 1000; }

void export_flow(const struct flow *flow, enum end_reason reason) {
  totals.flows++;
  totals.packets += flow->packets;
  totals.octets += flow->octets;
  struct message *message = &open_messages[flow->is_ipv6];
  if (message->length + (flow->is_ipv6 ? 76 : 52) > longest_message) finish_message(flow->is_ipv6);
  uint8_t *at = message->octets + message->length;
  const uint64_t *words = flow->key.words;
  if (flow->is_ipv6) {
    memcpy(at, words, 32);
    at += 32;
  } else {
    memcpy(at, &words[0], 4);
    memcpy(at + 4, &words[2], 4);
    at += 8;
  }
  // Ports, protocol and class of service lie in the key as they do in the record.
  memcpy(at, &words[4], 6);
  at[6] = flow->control_bits;
  at[7] = (uint8_t)reason;
  memcpy(at + 8, (const uint8_t *)&words[4] + 6, 2);
  at[10] = at[11] = 0;
  at = put64(at + 12, flow->packets);
  at = put64(at, flow->octets);
  at = put64(at, start_second * 1000 + flow->first);
  at = put64(at, start_second * 1000 + flow->last);
  message->length = (uint32_t)(at - message->octets);
  message->records++;
}

void export_flush(void) {
  finish_message(false);
  finish_message(true);
  send_waiting();
}

struct export_totals export_totals(void) { return totals; }
