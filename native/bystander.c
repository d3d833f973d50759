// Work of a stated size at even intervals. What counts is the time from when a piece is due until it is done: that holds
// the wake-up, the wait for a vCPU, and what the vCPU is worth while others run beside.
#include "bystander.h"

#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "histogram.h"
#include "json.h"
#include "options.h"
#include "report.h"

enum { CALIBRATION_ROUNDS = 1 << 16, CALIBRATION_TRIES = 20 };

struct work {
	double seconds;
	int64_t period_ns, work_ns;
	int64_t rounds; // 0: so many as take work_ns here
};

static struct histogram histogram;

static uint64_t compute(int64_t rounds)
{
	uint64_t x = 88172645463325252u;

	for (int64_t i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static volatile uint64_t sink; // or the compiler would see that nobody wants the result

// The fastest of some tries is the one that nobody disturbed.
static int64_t calibrate(int64_t work_ns)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < CALIBRATION_TRIES; i++) {
		int64_t start = now_ns();

		sink = compute(CALIBRATION_ROUNDS);
		if (now_ns() - start < best)
			best = now_ns() - start;
	}
	return (int64_t)((double)work_ns * CALIBRATION_ROUNDS / (double)(best > 0 ? best : 1)) + 1;
}

static struct work parse(int argc, char **argv)
{
	struct work w = {.seconds = 0.3, .period_ns = 5000000, .work_ns = 1000000};

	for (int i = 0; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (i + 1 == argc)
			usage("'%s' needs a value, or is not an option of bystander", name);
		if (!strcmp(name, "--seconds"))
			w.seconds = option_real(name, value, 0.001, 3600);
		else if (!strcmp(name, "--period"))
			w.period_ns = option_whole(name, value, 100000, 10000000000);
		else if (!strcmp(name, "--work"))
			w.work_ns = option_whole(name, value, 1000, 10000000000);
		else if (!strcmp(name, "--rounds"))
			w.rounds = option_whole(name, value, 0, INT64_C(1) << 40);
		else
			usage("'%s' is not an option of bystander", name);
	}
	if (w.work_ns >= w.period_ns)
		usage("--work has to be less than --period");
	return w;
}

// A piece that is late does not move those that follow it: they wait behind it, as requests would.
static int64_t measure(const struct work *w)
{
	int64_t start = now_ns(), due;

	for (due = start + w->period_ns; due - start <= (int64_t)(w->seconds * 1e9); due += w->period_ns) {
		if (due > now_ns())
			sleep_until(due);
		sink = compute(w->rounds);
		histogram_record(&histogram, (uint64_t)(now_ns() - due));
	}
	return now_ns() - start;
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? -1 : t.tv_sec * 1000000000LL + t.tv_nsec;
}

int bystander(int argc, char **argv)
{
	struct work w = parse(argc, argv);
	int64_t took_ns, cpu;

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	histogram_clear(&histogram);
	if (!w.rounds)
		w.rounds = calibrate(w.work_ns);
	cpu = cpu_ns();
	took_ns = measure(&w);
	json_open(NULL, '{');
	json_integer("rounds", w.rounds);
	json_integer("period_ns", w.period_ns);
	json_real("seconds", (double)took_ns / 1e9);
	json_optional("cpu_ns", cpu < 0 ? -1 : cpu_ns() - cpu);
	report_latency(&histogram, "due-to-done");
	json_close('}');
	json_end();
	return EXIT_DONE;
}
