// What becomes of a side whose peer was killed: that differs by mechanism, and the error says it.
#pragma once

#include "shared.h"

// How each process has ended by itself, as waitpid(2) gives it; in the order of `struct shared`'s pids.
struct ends {
	bool ended[1 + PEERS_MAX];
	int status[1 + PEERS_MAX];
};

// At least one has failed or was killed, and nothing runs any more.
_Noreturn void survivor_tell(const struct options *options, const struct ends *ends, const struct error_note *note);
