// SPDX-License-Identifier: Apache-2.0
//
// The flows: an index of (hash, place) words by open addressing, which grows, over dense records of one cache line.
// A packet touches one line of each, and both are asked for ahead, a batch at a time: that is what makes it fast.
// One thread.

#pragma once

#include "packet.h"

struct flow {
  struct flow_key key;
  uint64_t octets;
  uint32_t packets;  ///< 0: the record is free, and the key's first word names the next free one
  uint32_t first;    ///< milliseconds
  uint32_t last;
  uint8_t control_bits;
  bool is_ipv6;
  uint8_t unused[2];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct flow) == 64, "a flow fills one cache line");

enum end_reason { end_idle = 1, end_active = 2, end_forced = 4 };  // flowEndReason, IE 136

struct flow_table {
  uint64_t *index;  ///< upper half: lower half of the hash; lower half: the record, 0 where there is none
  uint64_t mask;
  uint64_t used;
  struct flow *flows;
  uint32_t end;   ///< the first record that never was used
  uint32_t free;  ///< the first of those that are free again, or 0
  uint32_t idle_milliseconds;
  uint32_t active_milliseconds;
};

void table_init(struct flow_table *table, uint32_t idle_seconds, uint32_t active_seconds);

/// Exports and removes the flows that have ended at this time; all of them where `everything` is set.
void table_sweep(struct flow_table *table, uint32_t now, bool everything);

/// Doubles the index.
void table_grow(struct flow_table *table);
/// A record that was never used; ends the program where there is room for no more.
uint32_t table_new_place(struct flow_table *table);

static inline void table_prefetch_index(const struct flow_table *table, uint64_t hash) {
  __builtin_prefetch(&table->index[(uint32_t)hash & table->mask], 0, 3);
}

static inline void table_prefetch_flow(const struct flow_table *table, uint64_t hash) {
  uint64_t entry = table->index[(uint32_t)hash & table->mask];
  if ((uint32_t)(entry >> 32) == (uint32_t)hash) __builtin_prefetch(&table->flows[(uint32_t)entry], 1, 3);
}

static inline bool keys_are_equal(const struct flow_key *a, const struct flow_key *b) {
  uint64_t difference = 0;
  for (int word = 0; word < 5; word++) difference |= a->words[word] ^ b->words[word];
  return difference == 0;
}

static inline void table_begin(struct flow_table *table, uint64_t slot, const struct packet *packet) {
  uint32_t place = table->free;
  if (place) table->free = (uint32_t)table->flows[place].key.words[0];
  else place = table_new_place(table);
  struct flow *flow = &table->flows[place];
  flow->key = packet->key;
  flow->packets = 1;
  flow->octets = packet->octets;
  flow->first = flow->last = packet->milliseconds;
  flow->control_bits = packet->control_bits;
  flow->is_ipv6 = packet->is_ipv6;
  table->index[slot] = (uint64_t)(uint32_t)packet->hash << 32 | place;
  if (++table->used * 8 > table->mask * 5) table_grow(table);
}

/// Adds a packet to its flow.
static inline void table_update(struct flow_table *table, const struct packet *packet) {
  uint32_t tag = (uint32_t)packet->hash;
  for (uint64_t slot = tag & table->mask;; slot = (slot + 1) & table->mask) {
    uint64_t entry = table->index[slot];
    if (!entry) return table_begin(table, slot, packet);
    if ((uint32_t)(entry >> 32) != tag) continue;
    struct flow *flow = &table->flows[(uint32_t)entry];
    if (!keys_are_equal(&flow->key, &packet->key)) continue;
    flow->packets++;
    flow->octets += packet->octets;
    flow->last = packet->milliseconds;
    flow->control_bits |= packet->control_bits;
    return;
  }
}
