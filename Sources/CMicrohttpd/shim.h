// SPDX-License-Identifier: Apache-2.0
#include <microhttpd.h>

/// The connection's socket; -1 where there is none. Swift calls no function with a variable number of arguments.
static inline int cmicrohttpd_socket(struct MHD_Connection *_Nonnull connection) {
  const union MHD_ConnectionInfo *found = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return found ? found->connect_fd : -1;
}
