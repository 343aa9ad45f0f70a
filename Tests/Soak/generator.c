// SPDX-License-Identifier: Apache-2.0
//
// A steady stream of UDP datagrams with new flows all the time, and connections for a router to translate.
//
// usage: generator INTERFACE ROUTER-MAC PACKETS/S NEW-FLOWS/S CONNECTIONS/S SECONDS
//
// The stream is of ACTIVE flows at a time, from 10.0.0.0/8 to 198.18.0.0/16, and LONG that last, to 198.19.0.0/16, in
// frames to a host that is not there: only who captures sees them. A connection is one datagram from 192.0.2.1 to 198.51.100.2, in a frame to the router, from a
// port that none had in the last ten minutes. Every ten seconds, and at the end (SIGTERM ends it early), a line has what
// was sent: packets and octets of the stream, flows of it that do not last, connections.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ACTIVE = 4096, LONG = 64, BATCH = 64, HEADERS = 14 + 20 + 8, LONGEST = HEADERS + 512 };

struct frame {
  uint8_t octets[LONGEST];
  uint32_t length;
};

static volatile sig_atomic_t stopped;
static struct frame frames[BATCH];
static uint64_t packets, octets, flows, connections;
static int interface_socket;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

static uint32_t checksum(const uint8_t *header) {
  uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (uint32_t)header[i] << 8 | header[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

// Without a UDP checksum, which IPv4 allows.
static void fill(struct frame *frame, const uint8_t *to_mac, uint32_t from, uint32_t to, uint32_t from_port,
                 uint32_t to_port, uint32_t payload) {
  uint8_t *ip = frame->octets + 14, *udp = ip + 20;
  memcpy(frame->octets, to_mac, 6);
  memcpy(frame->octets + 6, "\x02\x00\x00\x00\x00\x01\x08\x00", 8);
  memcpy(ip, "\x45\x00\x00\x00\x00\x00\x00\x00\x40\x11\x00\x00", 12);
  put16(ip + 2, 28 + payload);
  put32(ip + 12, from);
  put32(ip + 16, to);
  put16(ip + 10, checksum(ip));
  put16(udp, from_port);
  put16(udp + 2, to_port);
  put16(udp + 4, 8 + payload);
  put16(udp + 6, 0);
  frame->length = HEADERS + payload;
}

// All of them: where there is no room for a moment the rest comes again.
static void send_frames(int count) {
  struct mmsghdr headers[BATCH];
  struct iovec pieces[BATCH];
  memset(headers, 0, sizeof headers);
  for (int i = 0; i < count; i++) {
    pieces[i] = (struct iovec){frames[i].octets, frames[i].length};
    headers[i].msg_hdr.msg_iov = &pieces[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  for (int sent = 0; sent < count;) {
    int result = sendmmsg(interface_socket, headers + sent, (unsigned)(count - sent), 0);
    if (result > 0) sent += result;
    else if (errno == ENOBUFS || errno == EAGAIN) usleep(200);
    else if (errno != EINTR) {
      perror("cannot send");
      exit(1);
    }
  }
}

// The flow in a place of the ring of active ones: the place, and how many were there before, make its key. A key comes
// again after 2^24 flows of a place.
static void fill_stream(struct frame *frame, uint64_t packet, const uint32_t *generation) {
  static const uint8_t nobody[6] = {0x02, 0, 0, 0, 0xff, 0xff};
  static uint32_t sent[ACTIVE];
  uint32_t place = packet % ACTIVE, is_long = place < LONG, age = is_long ? 0 : generation[place];
  if (!is_long && sent[place] != age + 1) {
    sent[place] = age + 1;
    flows++;
  }
  fill(frame, nobody, 0x0a000000 | (age & 0xffffff), is_long ? 0xc6130001 : 0xc6120001, 20000 + place, 443,
       16 + (place * 37 + age * 11) % 480);
  octets += frame->length - 14;
}

static void report(void) {
  printf("%llu %llu %llu %llu\n", (unsigned long long)packets, (unsigned long long)octets, (unsigned long long)flows,
         (unsigned long long)connections);
  fflush(stdout);
}

int main(int count, char **arguments) {
  unsigned mac[6];
  if (count != 7 || sscanf(arguments[2], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
    fputs("usage: generator INTERFACE ROUTER-MAC PACKETS/S NEW-FLOWS/S CONNECTIONS/S SECONDS\n", stderr);
    return 64;
  }
  uint8_t router[6];
  for (int i = 0; i < 6; i++) router[i] = (uint8_t)mac[i];
  double packet_rate = atof(arguments[3]), flow_rate = atof(arguments[4]), connection_rate = atof(arguments[5]);
  double seconds = atof(arguments[6]);

  interface_socket = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(arguments[1])};
  if (interface_socket < 0 || !address.sll_ifindex ||
      bind(interface_socket, (struct sockaddr *)&address, sizeof address) != 0) {
    fprintf(stderr, "cannot send from interface '%s': %s\n", arguments[1], strerror(errno));
    return 1;
  }
  signal(SIGTERM, stop);
  signal(SIGINT, stop);

  static uint32_t generation[ACTIVE];
  uint64_t renewed = 0;
  double start = now(), next_report = start + 10;
  while (!stopped) {
    double elapsed = now() - start;
    if (elapsed >= seconds) break;
    if (start + elapsed >= next_report) {
      report();
      next_report += 10;
    }
    int filled = 0;
    while (filled < BATCH && (double)connections < elapsed * connection_rate)
      fill(&frames[filled++], router, 0xc0000201, 0xc6336402, 1024 + connections++ % 64512, 5001, 32);
    // Each place is a new flow's in turn.
    for (; (double)renewed < elapsed * flow_rate; renewed++) generation[renewed % ACTIVE]++;
    while (filled < BATCH && (double)packets < elapsed * packet_rate) fill_stream(&frames[filled++], packets++, generation);
    if (filled) send_frames(filled);
    else usleep(300);
  }
  report();
  return 0;
}
