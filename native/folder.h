// A private folder for what has to have a name in a file system, and only until both sides are connected.
#pragma once

#include "mechanism.h"

enum { FOLDER_PATH_BYTES = 256 };

// Below TMPDIR, else /tmp, and named after the pair's token. NULL: the folder itself.
void folder_path(char path[FOLDER_PATH_BYTES], const struct pair *pair, const char *name);
void folder_make(const struct pair *pair);
// With what it may hold: a list of names that ends with NULL. Does no harm where nothing is.
void folder_remove(const struct pair *pair, const char *const *names);
