// A private IPC namespace in which every limit is as it is in the present one.
#pragma once

#include <stdbool.h>

#include "options.h"

// Moves this process into one, as asked for; false: it stays in the present one.
bool namespace_enter(const struct options *options);
