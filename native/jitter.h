#pragma once

void jitter_print(void); // as the member "jitter"
