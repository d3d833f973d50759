/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "flows.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
