#pragma once

// Tells the processor that a loop waits: it spares the other hyperthread and leaves the loop without a flush.
static inline void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory"); // `yield` does nothing on most
#else
	__asm__ volatile("" ::: "memory");
#endif
}
