/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* All of it is in zmq.h now. The file is for programs that still include it. */

#ifndef __ZMQ_UTILS_H_INCLUDED__
#define __ZMQ_UTILS_H_INCLUDED__

#include "zmq.h"

#endif
