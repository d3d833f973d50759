#pragma once

#include "options.h"

int run(const struct options *options); // the `run` command: measures one block and prints it
