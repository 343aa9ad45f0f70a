// SPDX-License-Identifier: Apache-2.0
//
// What a flow meter on libpcap can reach on this machine: as little as it may do, as fast as we could write it in C,
// on one thread. It is the measure of others, not a program for use.
//
//     yardstick read  (-r FILE | -i INTERFACE)                             an empty libpcap loop
//     yardstick meter (-r FILE | -i INTERFACE) -n ADDRESS:PORT [-d IDLE] [-e ACTIVE]
//
// Live it goes on until SIGTERM or SIGINT. Prints what it saw and what it exported.

#include <inttypes.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "packet.h"
#include "table.h"

enum {
  batch_packets = 32,
  sweep_milliseconds = 5000,
  ring_octets = 64 << 20,
  snap_length = 96,
  block_milliseconds = 100,  // how long a block of the ring may wait until it is full
};

static pcap_t *source;
static volatile sig_atomic_t is_stopped;

static struct flow_table table;
static struct packet batch[batch_packets];
static unsigned batch_count;
static bool has_start;
static uint64_t start_second;
static uint32_t next_sweep = sweep_milliseconds;
static uint64_t seen_packets, seen_octets;

static void stop(int number) {
  (void)number;
  is_stopped = 1;
  pcap_breakloop(source);
}

static void read_packet(u_char *context, const struct pcap_pkthdr *header, const u_char *frame) {
  (void)context;
  (void)frame;
  seen_packets++;
  seen_octets += header->len;
}

/// The index's lines of these packets were asked for as they came; now the records' are, and by the time the first is
/// updated the others are on their way.
static void update_table(void) {
  if (!batch_count) return;
  for (unsigned place = 0; place < batch_count; place++) table_prefetch_flow(&table, batch[place].hash);
  uint32_t now = batch[batch_count - 1].milliseconds;
  if (now >= next_sweep) {
    export_set_time(now);
    table_sweep(&table, now, false);
    next_sweep = now + sweep_milliseconds;
  }
  for (unsigned place = 0; place < batch_count; place++) table_update(&table, &batch[place]);
  batch_count = 0;
}

static void meter_packet(u_char *context, const struct pcap_pkthdr *header, const u_char *frame) {
  (void)context;
  if (!has_start) {
    has_start = true;
    start_second = (uint64_t)header->ts.tv_sec;
    export_set_start(start_second);
  }
  struct packet *packet = &batch[batch_count];
  if (!decode_frame(frame, header->caplen, packet)) return;
  seen_packets++;
  seen_octets += packet->octets;
  packet->hash = hash_key(&packet->key);
  packet->milliseconds =
      (uint32_t)(((uint64_t)header->ts.tv_sec - start_second) * 1000) + (uint32_t)header->ts.tv_usec / 1000;
  table_prefetch_index(&table, packet->hash);
  if (++batch_count == batch_packets) update_table();
}

static void open_interface(const char *name) {
  char error[PCAP_ERRBUF_SIZE];
  source = pcap_create(name, error);
  pcap_set_snaplen(source, snap_length);
  pcap_set_promisc(source, 1);
  pcap_set_timeout(source, block_milliseconds);
  pcap_set_buffer_size(source, ring_octets);
  if (pcap_activate(source) < 0) {
    fprintf(stderr, "cannot capture on '%s': %s\n", name, pcap_geterr(source));
    exit(1);
  }
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
}

static void open_file(const char *path) {
  char error[PCAP_ERRBUF_SIZE];
  source = pcap_open_offline(path, error);
  if (source) return;
  fprintf(stderr, "%s\n", error);
  exit(1);
}

int main(int argc, char **argv) {
  const char *file = NULL, *interface = NULL, *collector = NULL;
  uint32_t idle = 60, active = 300;
  bool is_meter = argc > 1 && !strcmp(argv[1], "meter");
  bool is_known = is_meter || (argc > 1 && !strcmp(argv[1], "read"));
  optind = 2;
  for (int option; is_known && (option = getopt(argc, argv, "r:i:n:d:e:")) != -1;) {
    switch (option) {
      case 'r': file = optarg; break;
      case 'i': interface = optarg; break;
      case 'n': collector = optarg; break;
      case 'd': idle = (uint32_t)atoi(optarg); break;
      case 'e': active = (uint32_t)atoi(optarg); break;
      default: is_known = false;
    }
  }
  if (!is_known || !file == !interface) {
    fprintf(stderr, "usage: yardstick read|meter -r FILE|-i INTERFACE [-n ADDRESS:PORT] [-d IDLE] [-e ACTIVE]\n");
    return 64;
  }
  if (file) open_file(file);
  else open_interface(interface);
  if (is_meter) {
    table_init(&table, idle, active);
    export_open(collector);
  }
  pcap_handler handler = is_meter ? meter_packet : read_packet;
  for (int count = 1; !is_stopped && (count > 0 || (interface && count == 0));) {
    count = pcap_dispatch(source, -1, handler, NULL);
    if (is_meter) update_table();
  }
  if (is_meter) {
    table_sweep(&table, 0, true);
    export_flush();
  }
  struct export_totals out = export_totals();
  struct pcap_stat kernel = {0};
  if (interface) pcap_stats(source, &kernel);
  printf("packets=%" PRIu64 " octets=%" PRIu64 " dropped=%u flows=%" PRIu64 " exported_packets=%" PRIu64
         " exported_octets=%" PRIu64 " failed_messages=%" PRIu64 "\n",
         seen_packets, seen_octets, kernel.ps_drop, out.flows, out.packets, out.octets, out.failed_messages);
  return 0;
}
