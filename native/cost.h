// What a call costs when nothing else is done: ns, the mean of one short run.
#pragma once

double cost_clock_ns(void);
double cost_syscall_ns(void);
