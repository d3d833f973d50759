// What the kernel says of huge pages.
#pragma once

#include <stddef.h>

size_t huge_page_bytes(void); // of the default pool; 0: this kernel has none
size_t huge_transparent_bytes(void); // 0: this kernel has none
size_t huge_mapped(const void *start); // bytes of this mapping of shared memory that huge pages map
