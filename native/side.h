#pragma once

#include <signal.h>

#include "mechanism.h"
#include "shared.h"

// What each of the two processes does, from its fork to its end.
_Noreturn void side_main(struct side *side, struct pair *pair, const sigset_t *signals);

void side_die_with(pid_t supervisor);
void side_pin(int cpu); // negative: left where it is
