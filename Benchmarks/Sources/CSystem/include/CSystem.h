// SPDX-License-Identifier: Apache-2.0
//
// What Swift cannot say of Linux: namespaces, processors of a thread, several packets or messages a system call, the
// time of another process, packet sockets. No logic. What returns -1 leaves errno as the system call left it.

#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/// Puts the calling thread into a new network namespace.
int csystem_leave_network(void);
/// Puts the calling thread into the network namespace that the descriptor names.
int csystem_enter_network(int descriptor);

/// Lets the calling thread, and processes that it starts, run on these processors alone: bit by bit, up to 64.
int csystem_set_processors(uint64_t processors);
/// Those that it may run on; 0 where that is not known.
uint64_t csystem_processors(void);

/// Lets this process inherit processes whose parent has ended.
int csystem_adopt_orphans(void);
/// CPU time of another process so far, all its threads, nanoseconds; -1 where it has gone.
int64_t csystem_process_nanoseconds(pid_t process);

/// A socket that sends frames out of the interface past its queue, with a send buffer of so many octets; or -1.
int csystem_open_packet_socket(const char *_Nonnull interface, int send_buffer);
/// Sends up to 32 frames. Returns how many were, or -1.
int csystem_send_frames(int socket, const struct iovec *_Nonnull frames, unsigned count);

/// Takes up to 64 messages without waiting, each into a slot of `room` octets, their lengths into `lengths`. Returns
/// how many came, or -1.
int csystem_receive_messages(int socket, void *_Nonnull slots, size_t room, uint32_t *_Nonnull lengths, unsigned count);
