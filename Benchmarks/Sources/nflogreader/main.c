// SPDX-License-Identifier: Apache-2.0
//
// The empty reader of an NFLOG group: libnetfilter_log as it should be set up, and a callback that counts. It is the
// measure of meters that read NFLOG, not a program for use.
//
//     nflogreader GROUP THRESHOLD
//
// Goes on until SIGTERM or SIGINT. Prints the packets it saw, and how many are missing by the kernel's numbers.

#include <errno.h>
#include <inttypes.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
  copied_octets = 96,
  message_octets = 32000,
  wait_centiseconds = 10,
  socket_octets = 64 << 20,
  buffer_octets = 256 << 10,
};

static volatile sig_atomic_t is_stopped;
static uint64_t packets, octets, missing;
static uint32_t expected;

static void stop(int number) {
  (void)number;
  is_stopped = 1;
}

static int read_packet(struct nflog_g_handle *group, struct nfgenmsg *message, struct nflog_data *data, void *context) {
  (void)group, (void)message, (void)context;
  uint32_t number;
  if (nflog_get_seq(data, &number) == 0) {
    if (packets) missing += number - expected;
    expected = number + 1;
  }
  char *payload;
  int length = nflog_get_payload(data, &payload);
  if (length > 0) octets += (uint64_t)length;
  packets++;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: nflogreader GROUP THRESHOLD\n");
    return 64;
  }
  struct nflog_handle *handle = nflog_open();
  struct nflog_g_handle *group = NULL;
  if (handle) group = nflog_bind_group(handle, (uint16_t)atoi(argv[1]));
  if (!group || nflog_set_mode(group, NFULNL_COPY_PACKET, copied_octets) < 0 ||
      nflog_set_nlbufsiz(group, message_octets) < 0 || nflog_set_qthresh(group, (uint32_t)atoi(argv[2])) < 0 ||
      nflog_set_timeout(group, wait_centiseconds) < 0 || nflog_set_flags(group, NFULNL_CFG_F_SEQ) < 0) {
    perror("cannot read the NFLOG group");
    return 1;
  }
  int size = socket_octets;
  setsockopt(nflog_fd(handle), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  nflog_callback_register(group, read_packet, NULL);
  // Without SA_RESTART: a signal ends the wait for packets.
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  static char buffer[buffer_octets] __attribute__((aligned(64)));
  while (!is_stopped) {
    ssize_t length = recv(nflog_fd(handle), buffer, sizeof buffer, 0);
    if (length > 0) nflog_handle_packet(handle, buffer, (int)length);
    else if (errno != EINTR && errno != ENOBUFS) break;
  }
  printf("packets=%" PRIu64 " octets=%" PRIu64 " missing=%" PRIu64 "\n", packets, octets, missing);
  return 0;
}
