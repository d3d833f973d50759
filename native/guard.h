// In the present IPC namespace a queue outlives us. A small process waits for our end, however it comes, and takes
// away what still has a name.
#pragma once

#include "mechanism.h"

// Before open(): the names follow from the pair's token, so there is no moment in which a queue is unknown.
void guard_start(const struct pair *pair);
void guard_renew(void); // another one, if it was killed
void guard_forget(void); // in a side: lets go of the pipe that tells of the supervisor's end
void guard_finish(void); // takes away what is left, now; may be called twice
