#pragma once

#include "../mechanism.h"

// Sets the capacity of one pipe or FIFO as wanted, and reads back what it is.
void pipe_capacity(struct pair *pair, int fd);
